"""Checks of this machine: Python and cores, the settings' values, the home folder, the encoders and their device."""

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from tagloom.checks.finding import Finding, good, wrong
from tagloom.preflight import require_disk, require_writable
from tagloom_base.redaction import HIDDEN
from tagloom_base.settings import Settings, variable_of
from tagloom_base.values import without_password


def machine(_: Settings) -> Iterator[Finding]:
    """Tell Python's version and the number of cores."""
    yield good(f"Python {platform.python_version()}, {os.cpu_count()} cores")


def chosen(settings: Settings) -> Iterator[Finding]:
    """Tell which settings are not as they come, without secrets, and check the lexicon's content."""
    from worker.lexicon import read_lexicon

    read_lexicon(settings.training.lexicon)
    listed = sorted((variable_of(field), _shown(value)) for field, value in settings.values_set().items())
    yield good(" ".join(f"{variable}={value}" for variable, value in listed) or "all as they come")


def home(settings: Settings) -> Iterator[Finding]:
    """Check that there is room on the disk, and that the folder can be written, or be made by the backend."""
    folder = settings.paths.home.resolve()
    require_disk(folder)
    if folder.exists():
        require_writable(folder)
        yield good(str(folder))
    elif _nearest(folder).is_dir() and os.access(_nearest(folder), os.W_OK):
        yield good(f"{folder} is not there yet: `tagloom serve` makes it")
    else:
        yield wrong(f"{folder} can't be made in {_nearest(folder)}: set TAGLOOM_HOME to a folder that may be written")


def encoders(settings: Settings) -> Iterator[Finding]:
    """Load the encoders on their device, and tell which they are and which better ones can be had."""
    from model.encoders.auto import advice
    from model.encoders.device import require_device
    from model.encoders.joint import open_joint
    from model.features.extraction import open_extractor
    from tagloom.encoders import home_settings
    from worker.encoders import require_encoders

    require_device(settings.encoders.device)
    settings = home_settings(settings)
    require_encoders(settings)
    chosen = settings.encoders
    extractor = open_extractor(chosen)
    joint = open_joint(chosen)
    described = {**extractor.describe(), **({"joint": joint.describe()} if joint else {})}
    yield good("; ".join(f"{part}: {text}" for part, text in described.items()))
    yield from (good(f"better: {line}") for line in advice(chosen.image_encoder, chosen.text_encoder))


def _shown(value: object) -> str:
    """Return a setting's value as its variable has it, without secrets; of connections, their names."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple | Mapping):
        return ",".join(map(_shown, value))
    return without_password(str(value))


def _nearest(folder: Path) -> Path:
    """Return the folder's nearest parent that exists."""
    return next(parent for parent in folder.parents if parent.exists())
