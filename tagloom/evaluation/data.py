"""What is evaluated on: a folder of pictures with items.csv, or what Label Studio exported (JSON or JSON_MIN)."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import quoteattr

from labelstudio.config import LabelConfig
from labelstudio.gold import gold_of
from labelstudio.tasks import reference_of
from model.boxes.metrics import GoldPicture
from model.items import Box, Gold, LabelledBox
from samples.dataset import Dataset, GoldBox, Sample, load, normalised

REGION = re.compile(r"(gift_text|ignore|block|text|group)(?:\([^)]*\))?=([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)")
PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|bmp|avif)(\?|$)", re.IGNORECASE)
KINDS = {"choices": "Choices", "rectanglelabels": "RectangleLabels"}
ABOUT_THE_ANNOTATION = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}

Json = dict[str, Any]


def read(source: Path, pictures: Path | None = None) -> Dataset:
    """The samples of a folder, or of an export whose pictures lie under ``pictures``, found by their file names.

    Items without a picture are samples of their texts. Raises ValueError saying what is wrong and how to mend it.
    """
    if source.is_dir():
        return load(source, need_pictures=False)
    tasks = _tasks(source)
    config = _config(tasks, source)
    files = _files(pictures or source.parent)
    return Dataset(source.parent, tuple(_sample(task, config, files, source) for task in tasks))


def gold_picture(boxes: Sequence[GoldBox], labels: Sequence[str]) -> GoldPicture:
    """Gold boxes, and what ``extra`` says is no error: second readings, announcements of gifts, doubtful boxes."""
    sure: list[LabelledBox] = []
    ignored: list[LabelledBox] = []
    for entry in boxes:
        box = _box(entry.x, entry.y, entry.width, entry.height)
        (ignored if entry.extra.startswith("doubtful") else sure).append(LabelledBox(entry.label, box))
        for name, *numbers in REGION.findall(entry.extra):
            meant = {"gift_text": ("文案", "赠品"), "ignore": labels}.get(name, (entry.label,))
            ignored += [LabelledBox(label, _box(*map(float, numbers))) for label in meant]
    return GoldPicture(tuple(sure), tuple(ignored))


def _box(x: float, y: float, width: float, height: float) -> Box:
    return Box(max(0.0, x / 100), max(0.0, y / 100), min(1.0, (x + width) / 100), min(1.0, (y + height) / 100))


def _tasks(source: Path) -> list[Json]:
    """Tasks in the form of the JSON export: ``data`` and ``annotations`` with results."""
    try:
        entries = json.loads(source.read_text("utf-8-sig"))
    except FileNotFoundError as missing:
        raise ValueError(f"{source} is not there: name a folder with items.csv or an exported JSON file") from missing
    except ValueError as broken:
        raise ValueError(f"{source} is no JSON ({broken}): export as JSON or JSON_MIN again") from broken
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{source} holds no list of tasks: export the project as JSON or JSON_MIN")
    return entries if "data" in entries[0] else _unfolded(entries)


def _unfolded(entries: Sequence[Json]) -> list[Json]:
    """JSON_MIN, one entry an annotation, as tasks.

    A control is known by its lists of rectangles or its ``{"choices": [...]}``; where it chose one label, the export
    has the label alone.
    """
    kinds = {name: kind for entry in entries for name, value in entry.items() if (kind := _kind(value))}
    tasks: dict[Any, Json] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id", place)
        task = tasks.setdefault(number, {"id": number, "data": {}, "annotations": []})
        task["data"] |= {
            name: value for name, value in entry.items() if name not in kinds and name not in ABOUT_THE_ANNOTATION
        }
        result = [region for name, kind in kinds.items() for region in _regions(name, kind, entry.get(name))]
        task["annotations"].append({"id": place, "updated_at": entry.get("updated_at"), "result": result})
    return list(tasks.values())


def _kind(value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return "choices"
    rectangles = isinstance(value, list) and any(isinstance(part, dict) and "rectanglelabels" in part for part in value)
    return "rectanglelabels" if rectangles else ""


def _regions(name: str, kind: str, value: Any) -> Iterator[Json]:
    about = {"from_name": name, "to_name": "image", "type": kind}
    if kind == "choices" and value:
        yield {**about, "value": value if isinstance(value, dict) else {"choices": [value]}}
    for part in value if kind == "rectanglelabels" and isinstance(value, list) else ():
        yield {**about, "original_width": part.get("original_width"), "original_height": part.get("original_height"),
               "value": part}  # fmt: skip


def _results(tasks: Iterable[Json]) -> Iterator[Json]:
    for task in tasks:
        for annotation in task.get("annotations") or ():
            yield from (region for region in annotation.get("result") or () if region.get("type") in KINDS)


def _config(tasks: Sequence[Json], source: Path) -> LabelConfig:
    """The labelling config that the annotations show: an export does not hold it."""
    controls: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for region in _results(tasks):
        names = controls[region["from_name"], region["type"]]
        names |= dict.fromkeys(map(str, region.get("value", {}).get(region["type"]) or ()))
    if not controls:
        raise ValueError(f"{source} holds no annotation of Choices or RectangleLabels: label some tasks, export again")
    texts = dict.fromkeys(name for task in tasks for name, value in task["data"].items() if isinstance(value, str))
    pictures = Counter(name for task in tasks for name, value in task["data"].items() if _names_a_picture(value))
    if not pictures:
        raise ValueError(f"{source}: no field of any task names a picture file: some tasks need one to be measured on")
    image = pictures.most_common(1)[0][0]
    parts = [f"<Image name='image' value={quoteattr('$' + image)}/>"]
    parts += [
        f"<Text name={quoteattr('text ' + name)} value={quoteattr('$' + name)}/>" for name in texts if name != image
    ]
    for (name, kind), labels in controls.items():
        item = "Choice" if kind == "choices" else "Label"
        many = " choice='multiple'" if kind == "choices" else ""
        inner = "".join(f"<{item} value={quoteattr(label)}/>" for label in labels)
        parts.append(f"<{KINDS[kind]} name={quoteattr(name)} toName='image'{many}>{inner}</{KINDS[kind]}>")
    return LabelConfig.parse(f"<View>{''.join(parts)}</View>")


def _names_a_picture(value: object) -> bool:
    return isinstance(value, str) and PICTURE.search(value) is not None


def _files(folder: Path) -> Mapping[str, Path]:
    """Pictures under a folder by name, and by the name that they had before Label Studio put its mark before it."""
    found = {path.name: path for path in sorted(folder.rglob("*")) if PICTURE.search(path.name)}
    return {**{name.split("-", 1)[1]: path for name, path in found.items() if "-" in name}, **found}


def _sample(task: Json, config: LabelConfig, files: Mapping[str, Path], source: Path) -> Sample:
    seen = reference_of(config, task)
    picture = _picture(seen.image, files, source) if seen.image else None
    name = picture.name if picture else ""
    gold = gold_of(config, task.get("annotations") or ())
    level1, level2 = (*seen.industry, "", "")[:2]
    return Sample(
        id=f"{task.get('id', '')}/{name}",
        picture=picture,
        title=seen.title,
        level1=level1,
        level2=level2,
        product_id=normalised(seen.title) or name or str(task.get("id", "")),
        labels=_labels(gold),
        boxes=tuple(_percent(entry) for entry in (gold.boxes if gold else None) or ()),
        labelled=gold is not None,
        boxed=picture is not None and gold is not None and gold.boxes is not None,
    )


def _picture(address: str, files: Mapping[str, Path], source: Path) -> Path:
    name = unquote(urlsplit(address).path).rsplit("/", 1)[-1]
    picture = files.get(name) or files.get(name.split("-", 1)[-1])
    if picture is None:
        raise ValueError(
            f"{source}: picture {name or address} is in no folder below the one given: add --pictures FOLDER"
        )
    return picture


def _labels(gold: Gold | None) -> tuple[str, ...]:
    if gold is None:
        return ()
    implied = frozenset(entry.label for entry in gold.boxes or ())
    return tuple(sorted(gold.labels if gold.labels is not None else implied))


def _percent(entry: LabelledBox) -> GoldBox:
    box = entry.box
    x, y, width, height = (round(100 * edge, 6) for edge in (box.left, box.top, box.width, box.height))
    return GoldBox(entry.label, x, y, width, height)
