"""`tagloom doctor`: check what Tagloom needs, with the settings of the backend that runs, and say how to mend it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path

from pydantic import ValidationError

from tagloom.checks import machine, projects, services, sources, speed, studios
from tagloom.checks.finding import Check, Finding, found_by
from tagloom_base import logs
from tagloom_base.errors import UserError
from tagloom_base.groups import FIELDS, PathSettings
from tagloom_base.running import Backend, backend, settings_in
from tagloom_base.settings import CERTIFICATES, Settings, SettingsError, variable_of
from tagloom_base.values import trimmed

SETTINGS = "settings"
CHECKS: tuple[tuple[str, Check], ...] = (
    ("machine", machine.machine),
    ("speed of this machine", speed.speed),
    (SETTINGS, machine.chosen),
    ("home", machine.home),
    ("store", services.database),
    ("backend", services.backend),
    ("queue", services.queue),
    ("workers", services.workers),
    ("shared settings", projects.shared_settings),
    ("labels", projects.labels),
    ("pictures", projects.pictures),
    ("Label Studio", studios.label_studio),
    ("webhooks", studios.webhooks),
    ("encoders", machine.encoders),
    ("sources", sources.sources),
)
"""All checks by name, in the order of their lines. A new check is a function in `tagloom.checks` and a line here.

Programs know a check by its name."""

HOME = "TAGLOOM_HOME"


def findings() -> Iterator[Finding]:
    """Run all checks with the settings of the backend that runs in this home, else with those of this process.

    Each finding is yielded at once. A check that fails, or a setting that can't be used, does not stop the others.
    """
    own = {name: value for name, value in settings_in(os.environ).items() if trimmed(value)}
    try:
        home = PathSettings().home.resolve()
        running = backend(home)
    except (ValidationError, OSError):
        # The setting is wrong, which is told below.
        home, running = Path(), None
    except UserError as refused:
        yield Finding(False, str(refused), SETTINGS)
        running = None
    with ExitStack() as stack:
        if running:
            yield Finding(True, f"those of the backend that runs here, process {running.pid}", SETTINGS)
            yield from (Finding(False, line, SETTINGS) for line in _differences(own, running))
            # Its settings may name folders from there; a folder that is gone helps neither of both.
            if running.folder.is_dir():
                stack.enter_context(chdir(running.folder))
            stack.enter_context(_environment({**running.variables, **own, HOME: str(home)}))
        settings, lines = _usable(stack)
        yield from (Finding(False, line, SETTINGS) for line in lines)
        if settings is None:
            return
        logs.guard(settings.secrets)
        yield from examined(settings)


def examined(settings: Settings) -> Iterator[Finding]:
    """Run all checks with these settings, and yield each finding at once."""
    for name, check in CHECKS:
        yield from found_by(name, check, settings)


def _differences(own: Mapping[str, str], running: Backend) -> Iterator[str]:
    """Yield a line for each variable that differs between this process and the backend. Values may be secret."""
    for name in sorted({*map(variable_of, FIELDS), *CERTIFICATES} - {HOME}):
        theirs = trimmed(running.variables.get(name, ""))
        if name in own and trimmed(own[name]) != theirs:
            yield (
                f"{name} {'has another value' if theirs else 'is not set'} for the backend that runs (process "
                f"{running.pid}): start it and all workers anew with this value, or take it away here"
            )


def _usable(stack: ExitStack) -> tuple[Settings | None, list[str]]:
    """Return the settings, without those that can't be used, and the lines about these; None if that does not help."""
    try:
        return Settings(), []
    except SettingsError as wrong_ones:
        lines, rest = str(wrong_ones).splitlines(), settings_in(os.environ)
        stack.enter_context(
            _environment({name: value for name, value in rest.items() if name not in wrong_ones.variables})
        )
    try:
        return Settings(), lines
    except SettingsError:
        return None, lines


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let this process have these settings' variables and no others, until the block ends."""
    before = settings_in(os.environ)
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)
