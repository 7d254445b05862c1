"""The encoders of a home: chosen once by what is on the machine, and kept in the store for all of its processes."""

from collections.abc import Mapping

from sqlalchemy.exc import OperationalError

from model.encoders import joint
from model.encoders.auto import AUTO, best
from model.encoders.catalogue import require_image_encoder, require_text_encoder
from store.database import Database
from store.encoders import Encoders
from tagloom_base.errors import UserError
from tagloom_base.groups import EncoderSettings
from tagloom_base.settings import Settings, variable_of

FIELDS = {"image": "image_encoder", "text": "text_encoder"}
"""The parts, as the store calls them, and the fields of the settings that name their encoders."""

_REQUIRE = {"image": require_image_encoder, "text": require_text_encoder}


def settled(settings: Settings, home: Encoders) -> Settings:
    """Return the settings with the home's encoders in the place of ``auto``.

    The first call in a home chooses the best that are on this machine, and keeps their names. Raises UserError where
    that can't be written.
    """
    kept = home.kept()
    if missing := {part: best(part) for part in _open(settings.encoders) if part not in kept}:
        try:
            kept = home.keep(missing)
        except OperationalError as error:
            raise UserError(
                f"the encoders of this home can't be kept in its database ({error.orig}): free the disk, or end what "
                "holds the database's lock, and try again"
            ) from error
    return _with(settings, kept)


def foreseen(settings: Settings, home: Encoders | None) -> Settings:
    """Return the settings as `settled` would, without keeping anything; without a store as for a new home."""
    kept = home.kept() if home else {}
    return _with(settings, {part: kept.get(part) or best(part) for part in _open(settings.encoders)})


def require_at_start(settings: Settings) -> None:
    """Settle the encoders of a worker that starts, and raise UserError where one is not on this machine.

    No connection stays open, since RQ's worker forks afterwards.
    """
    database = Database(settings.paths.database)
    try:
        require_encoders(settled(settings, Encoders(database)))
    finally:
        database.close()


def require_encoders(settings: Settings) -> None:
    """Raise UserError where an encoder of these settings, which are settled, is not on this machine."""
    for part, field in FIELDS.items():
        name = getattr(settings.encoders, field)
        try:
            _REQUIRE[part](name)
        except ValueError as missing:
            raise UserError(
                f"the {part} encoder of this home is not on this machine: {missing}; or change it for the whole home "
                f"by `tagloom encoders use`, or by {variable_of(field)} if that is set"
            ) from missing
    if settings.encoders.joint_encoder:
        try:
            joint.require(settings.encoders.joint_encoder)
        except ValueError as missing:
            raise UserError(
                f"{variable_of('joint_encoder')} names what is not on this machine: {missing}; or take the variable "
                "away for the backend and all workers: then words find what was read and written"
            ) from missing


def _open(encoders: EncoderSettings) -> list[str]:
    return [part for part, field in FIELDS.items() if getattr(encoders, field) == AUTO]


def _with(settings: Settings, names: Mapping[str, str]) -> Settings:
    return settings.changed(**{FIELDS[part]: names[part] for part in _open(settings.encoders)})
