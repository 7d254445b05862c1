"""A version on disk: a folder with ``model.safetensors`` and ``manifest.json`` that never changes once written.

The safetensors file holds every tensor of the tagger. The header of the file holds the labels, the lexicon and the form
of the network as JSON. So the sha256 of the file covers everything that answers depend on. No file uses pickle.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from model.state import State
from model.tagger import Tagger
from model.tensor_files import parsed
from tagloom_base.files import made

TENSORS = "model.safetensors"
MANIFEST = "manifest.json"
FORMAT = 6
# The network of this format corrected the other models instead of answering by itself, so it is left out.
CORRECTING = 5


@dataclass(frozen=True)
class About:
    """How a version was made, for the people who read its manifest; no answer depends on it.

    Args:
        parent: the version that its training continued from.
        encoders: a description of each encoder, by what it encodes.
        gold_count: items with gold in its training.
        weak_count: items without gold in its training.
        metrics: figures of its promotion by name.
        phase: the phase of the training after which it was written.
    """

    parent: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict)
    gold_count: int = 0
    weak_count: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    phase: str = ""


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``: identity and hash of a version, and the fields of `About`.

    ``space`` must match the space of the encoders that make the features when the version is loaded.
    """

    version: str
    labels: tuple[str, ...]
    space: str
    sha256: str
    parent: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict)
    gold_count: int = 0
    weak_count: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    phase: str = ""
    created_at: str = ""


def content_sha(tagger: Tagger) -> str:
    """Return the sha256 of the tagger's content, which is the same for the same tagger on every machine."""
    return hashlib.sha256(_serialized(tagger)).hexdigest()


def version_name(number: int, tagger: Tagger) -> str:
    """Return the name ``v<number>.<first 4 hex digits of the content's sha256>``."""
    return f"v{number}.{content_sha(tagger)[:4]}"


def save(tagger: Tagger, folder: Path, *, version: str, about: About | None = None) -> Manifest:
    """Write the version's folder in one move and return its manifest.

    Raises FileExistsError when the folder exists, because a version never changes.
    """
    about = about or About()
    content = _serialized(tagger)
    manifest = Manifest(
        version=version,
        labels=tagger.labels,
        space=tagger.space,
        sha256=hashlib.sha256(content).hexdigest(),
        parent=about.parent,
        encoders=dict(about.encoders),
        gold_count=about.gold_count,
        weak_count=about.weak_count,
        metrics=dict(about.metrics),
        phase=about.phase,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with made(folder) as beside:
        (beside / TENSORS).write_bytes(content)
        (beside / MANIFEST).write_bytes(json.dumps(asdict(manifest), ensure_ascii=False, indent=2).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the version in a folder. Raises ValueError that names what is wrong with the file."""
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        # A later Tagloom may have written fields that this one does not know.
        known = {item.name for item in fields(Manifest)}
        manifest = Manifest(
            **{**{key: value for key, value in raw.items() if key in known}, "labels": tuple(raw["labels"])}
        )
    except FileNotFoundError as error:
        raise ValueError(f"{folder} is no checkpoint: it has no {MANIFEST}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read: {error}") from error
    return manifest


def load(folder: Path, *, space: str | None = None) -> Tagger:
    """Return the tagger in a folder after checking its hash, format, labels and space.

    Raises ValueError that names what is wrong: files that are damaged or do not belong to each other, or a space other
    than ``space``. Without ``space``, every space is accepted.
    """
    manifest = read_manifest(folder)
    if space is not None and manifest.space != space:
        encoder = manifest.encoders.get("image", "unknown encoder")
        raise ValueError(
            f"{folder} was trained on features of space {manifest.space} ({encoder}), "
            f"but the live encoders make {space}; set the encoders of the checkpoint or train a new version"
        )
    path = folder / TENSORS
    try:
        # The file is read once, so that the tensors are made from exactly the bytes that are hashed.
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise ValueError(f"{path} is damaged: its sha256 is not the manifest's; restore it or roll back")
        tensors, strings = parsed(content)
        about = json.loads(strings.get("tagger", "{}"))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if about.get("format") == CORRECTING:
        network = ("network.", "optimizer.")
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(network)}
        about |= {"format": FORMAT, "network": None}
    if about.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of format {about.get('format')} and this Tagloom reads format {FORMAT}: train a new version"
        )
    if tuple(about["labels"]) != manifest.labels:
        raise ValueError(f"{path} does not belong to its manifest (labels {about['labels']})")
    return Tagger.from_state(State(tensors, about), manifest.version)


def _serialized(tagger: Tagger) -> bytes:
    state = tagger.state()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    # Sorted keys make the same bytes, and so the same sha256, for the same tagger.
    about = json.dumps({"format": FORMAT, **state.facts}, ensure_ascii=False, sort_keys=True)
    return safetensors.torch.save(tensors, metadata={"tagger": about})
