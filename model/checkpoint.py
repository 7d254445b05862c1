"""A version on disk: a folder with ``model.safetensors`` and ``manifest.json`` that never changes once written.

The safetensors file holds every tensor of the tagger and, as JSON in its header, its labels, lexicon and network
form, so that its sha256 covers everything that answers depend on. No pickle.
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
FORMAT = 5


@dataclass(frozen=True)
class Manifest:
    """What a version is. ``encoders`` are plain words for people; ``space`` is what a loader must match."""

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
    """sha256 of the tagger's content, the same for the same tagger on every machine."""
    return hashlib.sha256(_serialized(tagger)).hexdigest()


def version_name(number: int, tagger: Tagger) -> str:
    """``v<number>.<4 hex of the content>``."""
    return f"v{number}.{content_sha(tagger)[:4]}"


def save(
    tagger: Tagger,
    folder: Path,
    *,
    version: str,
    parent: str = "",
    encoders: Mapping[str, str] | None = None,
    gold_count: int = 0,
    weak_count: int = 0,
    metrics: Mapping[str, float] | None = None,
    phase: str = "",
) -> Manifest:
    """Write the version's folder in one move. Raises FileExistsError when the folder exists: versions never change."""
    content = _serialized(tagger)
    manifest = Manifest(
        version=version,
        labels=tagger.labels,
        space=tagger.space,
        sha256=hashlib.sha256(content).hexdigest(),
        parent=parent,
        encoders=dict(encoders or {}),
        gold_count=gold_count,
        weak_count=weak_count,
        metrics=dict(metrics or {}),
        phase=phase,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    about = json.dumps(asdict(manifest), ensure_ascii=False, indent=2).encode()
    with made(folder) as beside:
        (beside / TENSORS).write_bytes(content)
        (beside / MANIFEST).write_bytes(about)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone. Raises ValueError naming what is wrong with it."""
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
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
    """The tagger in a folder, after checking hash, labels and space.

    Raises ValueError naming what is wrong: damaged or foreign files, or features of other encoders than ``space``.
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
        content = path.read_bytes()  # once: the tensors are made of the bytes that are hashed here
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise ValueError(f"{path} is damaged: its sha256 is not the manifest's; restore it or roll back")
        tensors, strings = parsed(content)
        about = json.loads(strings.get("tagger", "{}"))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
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
    about = json.dumps({"format": FORMAT, **state.facts}, ensure_ascii=False, sort_keys=True)
    return safetensors.torch.save(tensors, metadata={"tagger": about})
