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
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from model.attention.network import Network, NetworkConfig
from model.attention.reduction import Reduction
from model.boxes.model import BoxModel
from model.calibration import Calibration
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from model.tagger import Tagger
from model.tensor_files import parsed
from model.weak_supervision.industry import IndustryPrior
from model.weak_supervision.label_model import LabelModel
from model.weak_supervision.propagation import PARTS, FusedSpace
from model.weak_supervision.sources import Memory, Sources
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
    return _tagger(about, tensors, manifest.version)


def _serialized(tagger: Tagger) -> bytes:
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(tagger).items()}
    about = json.dumps(_about(tagger), ensure_ascii=False, sort_keys=True)
    return safetensors.torch.save(tensors, metadata={"tagger": about})


def _about(tagger: Tagger) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "labels": list(tagger.labels),
        "space": tagger.space,
        "seed": tagger.seed,
        "lexicon": tagger.sources.cues.lexicon.as_dict(),
        "sources": list(tagger.label_model.names),
        "gold": tagger.label_model.gold,
        "credence": tagger.credence,
        "industries": tagger.sources.industry.paths if tagger.sources.industry else None,
        "network": asdict(tagger.network.config) if tagger.network else None,
        "with_boxes": tagger.box_model is not None,
    }


def _tensors(tagger: Tagger) -> dict[str, Tensor]:
    model = tagger.label_model
    tensors = {
        "label_model.bias_K": model.bias_K,
        "label_model.trust_SK": model.trust_SK,
        "label_model.accuracy_SK": model.accuracy_SK,
    }
    tensors |= {f"calibration.{name}": value for name, value in vars(tagger.calibration).items()}
    if tagger.sources.memory:
        memory = tagger.sources.memory
        tensors |= {"memory.vectors_GD": memory.vectors_GD, "memory.labels_GK": memory.labels_GK}
        tensors |= {f"memory.mean.{part}": mean for part, mean in memory.space.means.items()}
    if tagger.sources.industry:
        industry = tagger.sources.industry
        tensors |= {"industry.positives_VK": industry.positives_VK, "industry.gold_VK": industry.gold_VK}
    if tagger.evidence and tagger.regression:
        tensors |= {f"evidence.mean.{part}": mean for part, mean in tagger.evidence.means.items()}
        tensors["evidence.block_spread_D"] = tagger.evidence.block_spread_D
        tensors["evidence.rarity_D"] = tagger.evidence.rarity_D
        tensors |= {"regression.bias_K": tagger.regression.bias_K, "regression.weight_DK": tagger.regression.weight_DK}
    if tagger.reduction:
        tensors |= {f"reduction.{name}": value for name, value in vars(tagger.reduction).items()}
    if tagger.network:
        tensors |= {f"network.{name}": value for name, value in tagger.network.state_dict().items()}
    if tagger.box_model:
        tensors |= {f"boxes.{name}": value for name, value in tagger.box_model.state().items()}
    if tagger.box_centre_K is not None:
        tensors["box_centre_K"] = tagger.box_centre_K
    return tensors | {f"optimizer.{name}": value for name, value in tagger.optimizer.items()}


def _tagger(about: dict[str, Any], tensors: dict[str, Tensor], version: str) -> Tagger:
    labels = tuple(about["labels"])
    lexicon = Lexicon.from_dict(about["lexicon"])
    box_model = BoxModel.from_state(labels, lexicon, _under(tensors, "boxes.")) if about["with_boxes"] else None
    memory = None
    if "memory.vectors_GD" in tensors:
        space = FusedSpace({part: tensors[f"memory.mean.{part}"] for part in PARTS})
        memory = Memory(space, tensors["memory.vectors_GD"], tensors["memory.labels_GK"])
    industry = None
    if about["industries"] is not None:
        paths = tuple(tuple(path) for path in about["industries"])
        industry = IndustryPrior(paths, tensors["industry.positives_VK"], tensors["industry.gold_VK"])
    evidence = regression = None
    if "regression.bias_K" in tensors:
        evidence = Evidence(
            _under(tensors, "evidence.mean."), tensors["evidence.block_spread_D"], tensors["evidence.rarity_D"]
        )
        regression = Regression(tensors["regression.bias_K"], tensors["regression.weight_DK"])
    model = LabelModel(
        tuple(about["sources"]),
        tensors["label_model.bias_K"],
        tensors["label_model.trust_SK"],
        tensors["label_model.accuracy_SK"],
        about["gold"],
    )
    return Tagger(
        labels=labels,
        space=about["space"],
        version=version,
        seed=about["seed"],
        sources=Sources(CueSet(labels, lexicon), memory, industry),
        label_model=model,
        calibration=Calibration(**_under(tensors, "calibration.")),
        evidence=evidence,
        regression=regression,
        reduction=Reduction(**reduction) if (reduction := _under(tensors, "reduction.")) else None,
        network=_network(about["network"], _under(tensors, "network.")),
        optimizer=_under(tensors, "optimizer."),
        box_model=box_model,
        box_centre_K=tensors.get("box_centre_K"),
        credence=about["credence"],
    )


def _network(config: dict[str, Any] | None, state: dict[str, Tensor]) -> Network | None:
    if config is None:
        return None
    with torch.device("meta"):
        network = Network(NetworkConfig.from_dict(config))
    network.load_state_dict(state, assign=True)
    return network.eval()


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
