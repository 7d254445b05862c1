"""The settings of all processes, read once from the environment (prefix ``TAGLOOM_``) and checked.

The settings form groups (``tagloom_base.groups``), so that a function takes only the group that it needs.
``docs/settings.md`` explains each setting.
"""

import base64
import copy
import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tagloom_base import values
from tagloom_base.errors import UserError
from tagloom_base.groups import (
    FIELDS,
    GROUPS,
    PREFIX,
    AccessSettings,
    EncoderSettings,
    PathSettings,
    PictureSettings,
    ServingSettings,
    SourceSettings,
    StudioSettings,
    TaskSettings,
    TrainingSettings,
    VersionSettings,
    WorkSettings,
)

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of OpenSSL that name trusted certificates. They are trusted beside the usual ones."""

RETIRED = frozenset({"TAGLOOM_MAX_BATCH", "TAGLOOM_POLL_SECONDS"})
"""Variables of earlier releases that are constants now: they may still be set, and have no effect."""


class SettingsError(UserError):
    """Settings that cannot be used: one line for each, and the ``variables`` of the environment that they stand in."""

    def __init__(self, lines: Iterable[str], variables: Iterable[str]) -> None:
        super().__init__("\n".join(lines))
        self.variables = frozenset(variables)


@dataclass(frozen=True, init=False)
class Settings:
    """The frozen settings of one process, in groups."""

    paths: PathSettings
    access: AccessSettings
    studios: StudioSettings
    work: WorkSettings
    serving: ServingSettings
    tasks: TaskSettings
    pictures: PictureSettings
    encoders: EncoderSettings
    training: TrainingSettings
    versions: VersionSettings
    sources: SourceSettings

    def __init__(self, **given: Any) -> None:
        """Read the environment; ``given`` holds values by field name, which replace those of the environment.

        Raises SettingsError with one line for each variable that cannot be used, TypeError for an unknown field.
        """
        _require_fields(given)
        wrong = _unknown(os.environ)
        for name, group in GROUPS.items():
            try:
                made = group(**{field: given[field] for field in group.model_fields if field in given})
            except ValidationError as refused:
                # The error's own text would show secrets.
                wrong += [_wrong(error["loc"], error["msg"], error["input"]) for error in refused.errors()]
            else:
                object.__setattr__(self, name, made)
        if not wrong:
            further = [secret for studio in self.studios.connections.values() for secret in studio.url_secrets]
            every = [secret.get_secret_value() for secret in (*self.access.url_secrets, *further)]
            if len(every) != len(set(every)):
                wrong.append(
                    (variable_of("connections"), "two connections have the same URL secret: give each its own")
                )
            wrong += _incomplete(self.sources)
        if wrong:
            raise SettingsError(dict.fromkeys(line for _, line in wrong), (variable for variable, _ in wrong))

    def changed(self, **given: Any) -> "Settings":
        """Return a copy of the settings with other values, which are not checked. TypeError for an unknown field."""
        _require_fields(given)
        other = copy.copy(self)
        for name, group in GROUPS.items():
            update = {field: given[field] for field in group.model_fields if field in given}
            object.__setattr__(other, name, getattr(self, name).model_copy(update=update))
        return other

    def values_set(self) -> dict[str, Any]:
        """Return the values that the environment, or the caller, has set, by field name."""
        groups = [getattr(self, name) for name in GROUPS]
        return {field: getattr(group, field) for group in groups for field in group.model_fields_set}

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values that must not appear in a log: tokens, passwords, the secret parts of URLs."""
        access, studios = self.access, self.studios
        held = [studios.label_studio_token, access.basic_password, access.webhook_secret, *access.url_secrets]
        held.append(self.sources.vision_key)
        for connection in studios.connections.values():
            held += [connection.token, *connection.url_secrets]
        found = [secret.get_secret_value() for secret in held]
        if access.basic_user:
            basic = f"{access.basic_user}:{access.basic_password.get_secret_value()}"
            found.append(base64.b64encode(basic.encode()).decode())
        found += [*values.passwords_in(self.work.redis_url), *values.passwords_in(self.paths.database_url)]
        return tuple(secret for secret in dict.fromkeys(found) if secret)


def variable_of(field: str) -> str:
    """Return the environment variable of a field."""
    alias = FIELDS[field].validation_alias
    return str(alias) if alias else PREFIX + field.upper()


def is_setting(variable: str) -> bool:
    """Return whether an environment variable belongs to Tagloom's settings, be it right or misspelt."""
    name = variable.upper()
    return name.startswith(PREFIX) or name in {*map(variable_of, FIELDS), *CERTIFICATES}


def _require_fields(given: Iterable[str]) -> None:
    if unknown := set(given) - set(FIELDS):
        raise TypeError(f"there are no settings {sorted(unknown)}")


def _unknown(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each variable that has the prefix and is no setting, with a line: a misspelt one would have no effect."""
    variables = {variable_of(field) for field in FIELDS}
    stems = {variable.removeprefix(PREFIX): variable for variable in variables}
    stems |= {field.upper(): variable_of(field) for field in FIELDS}
    lines = []
    for name in sorted(names):
        if name.upper().startswith(PREFIX) and name.upper() not in variables | RETIRED:
            (nearest,) = difflib.get_close_matches(name.upper().removeprefix(PREFIX), stems, n=1, cutoff=0.0)
            line = f"{name} is no setting: rename it to {stems[nearest]} if that is meant, else take it away"
            lines.append((name, line))
    return lines


def _incomplete(sources: SourceSettings) -> list[tuple[str, str]]:
    """Return each variable that needs another one, with a line."""
    url, money = variable_of("vision_url"), variable_of("vision_money")
    lines = []
    if sources.vision_url and not sources.vision_model:
        lines.append((url, f"{url} needs {variable_of('vision_model')}: name the model that is asked there"))
    if sources.vision_money and not (sources.vision_input_price or sources.vision_output_price):
        prices = f"{variable_of('vision_input_price')} and {variable_of('vision_output_price')}"
        lines.append((money, f"{money} needs {prices}: set what a million tokens cost"))
    return lines


# Fields whose value may contain a secret, so no message shows it.
_UNSHOWN = {
    "redis_url", "database_url", "label_studio_token", "connections", "basic_password", "url_secrets", "webhook_secret",
    "vision_key",
}  # fmt: skip


def _wrong(place: tuple[int | str, ...], message: str, value: Any) -> tuple[str, str]:
    """Return the variable of a wrong setting, and one line: variable, value (unless it is secret) and correction."""
    said = message.removeprefix("Value error, ").replace("Input should", "should")
    if not place:
        return "", said
    first = str(place[0])
    field = next((name for name in FIELDS if first in (name, variable_of(name))), first)
    where = "".join(f" {part!r}" for part in place[1:] if isinstance(part, str))
    hidden = field in _UNSHOWN or "@" in str(value)
    shown = "its value" if hidden else repr(str(value)[:80])
    variable = variable_of(field) if field in FIELDS else first
    said = f"{shown} {said}" if said.startswith("should") else said
    return variable, f"{variable}{where} can't be used: {said}"
