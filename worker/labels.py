"""What a project's labels are taken for, guessed once and kept, so that backend and workers agree on it for good.

Guesses are kept in files beside the project's checkpoints. Each file holds what was guessed at one time and never
changes, so a sentence encoder that is installed or removed later changes the meaning of no label.
"""

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from labelstudio.config import LabelConfig
from model.encoders.sentences import installed
from model.lexicon.lexicon import Lexicon
from model.lexicon.names import Guess, guessed, meanings, open_labels, with_names
from tagloom_base.settings import Settings
from worker.lexicon import read_lexicon

LOG = logging.getLogger(__name__)

FOLDER = "labels"

Names = Mapping[str, Sequence[str]]


def project_lexicon(settings: Settings, project_key: str, config: LabelConfig) -> Lexicon:
    """Return the lexicon that the settings name, with the project's labels as names of the kinds that they mean.

    Raises UserError if the lexicon's file cannot be used.
    """
    lexicon = read_lexicon(settings.training.lexicon)
    return with_names(lexicon, config.names, guesses(settings.paths.checkpoints, project_key, lexicon, config.names))


def guesses(checkpoints: Path, project_key: str, lexicon: Lexicon, names: Names) -> dict[str, Guess]:
    """Return what the project's open labels were guessed to be; those that are new are guessed now, and kept."""
    wanted = open_labels(lexicon, names)
    if not wanted:
        return {}
    folder = checkpoints / project_key / FOLDER
    kept = _kept(folder, wanted)
    left = {label: each for label, each in wanted.items() if label not in kept}
    if not left:
        return kept
    claimed = {found.kind for found in meanings(lexicon, names, kept).values()}
    new = _guessed(lexicon, left, claimed)
    try:
        _keep(folder, new)
    except OSError as error:
        LOG.warning("%s: what its labels are taken for cannot be kept in %s: %s", project_key, folder, error.strerror)
    # Another process may have been faster; then its guesses count.
    return {**new, **_kept(folder, wanted)}


def kept_guesses(checkpoints: Path, project_key: str, lexicon: Lexicon, names: Names) -> dict[str, Guess]:
    """Return the guesses about the project's open labels that are kept; makes none."""
    return _kept(checkpoints / project_key / FOLDER, open_labels(lexicon, names))


def warm(lexicon: Lexicon) -> None:
    """Compute what the first guess by meaning needs, which takes seconds; Label Studio waits three for /setup."""
    _guessed(lexicon, {"warm": ("warm",)}, ())


def _guessed(lexicon: Lexicon, labels: Names, claimed: Collection[str]) -> dict[str, Guess]:
    try:
        return guessed(lexicon, labels, installed(), claimed)
    except OSError as error:
        LOG.warning("labels are taken for what their words tell, not for their meaning: %s", error)
        return guessed(lexicon, labels, None, claimed)


def _kept(folder: Path, wanted: Names) -> dict[str, Guess]:
    """Return the kept guesses about these labels, as far as the config gives them the same names as then."""
    found: dict[str, Guess] = {}
    for file in sorted(folder.glob("*.json")):
        try:
            for label, table in json.loads(file.read_text(encoding="utf-8")).items():
                guess = Guess(tuple(table["names"]), str(table["kind"]), str(table["by"]))
                if guess.names == wanted.get(label):
                    found.setdefault(label, guess)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOG.warning("%s cannot be read (%s): delete it, then its labels are guessed anew", file, error)
    return found


def _keep(folder: Path, new: Mapping[str, Guess]) -> None:
    """Write guesses to a file that does not exist; of processes that do so at once, the first one's file stays."""
    about = sorted((label, guess.names) for label, guess in new.items())
    file = folder / f"{hashlib.sha256(repr(about).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{file.name}.{uuid.uuid4().hex}.part"
    try:
        content = {label: asdict(guess) for label, guess in new.items()}
        beside.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        os.link(beside, file)
    except FileExistsError:
        pass
    finally:
        beside.unlink(missing_ok=True)
