"""What is evaluated on: a folder of pictures with items.csv, or what Label Studio exported."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

from labelstudio.config import LabelConfig
from labelstudio.gold import gold_of
from labelstudio.tasks import reference_of
from model.boxes.metrics import GoldPicture
from model.items import Box, Gold, LabelledBox
from samples.dataset import Dataset, GoldBox, Sample, load
from tagloom.evaluation.exports import Json, export_of
from tagloom.evaluation.files import PictureFiles, names_a_picture
from worker.training.families import family_of

REGION = re.compile(r"(gift_text|ignore|block|text|group)(?:\([^)]*\))?=([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)")
KINDS = {"choices": "Choices", "rectanglelabels": "RectangleLabels"}


def read(
    source: Path,
    pictures: Path | None = None,
    config: Path | None = None,
    *,
    family_key: str = "",
    industry_keys: Sequence[str] = (),
) -> Dataset:
    """The samples of a folder, or of an export whose pictures lie under ``pictures``, found by ``PictureFiles``.

    Items without a picture are samples of their texts. ``config`` is the project's labelling config: an export does
    not hold it. Without it the controls are those that have answers, and texts are all that the data of a JSON export
    say. In the other forms a text may be the only label of a task: they have a title but no further texts then.
    ``family_key`` and ``industry_keys`` are the settings of an export's project: a worker makes the same families.

    Raises ValueError saying what is wrong and how to mend it.
    """
    if source.is_dir():
        if config:
            raise ValueError(f"{source} is a folder, whose items.csv says what is what: leave --config out")
        return load(source, need_pictures=False)
    known = _parsed(config, industry_keys) if config else None
    export = export_of(source, {control.name: control.KIND for control in known.controls} if known else {})
    shown = known or LabelConfig.parse(_config(export.tasks, source), industry_keys)
    files = PictureFiles(pictures or source.parent)
    samples = tuple(_sample(task, shown, files, family_key) for task in export.tasks)
    sure = known is not None or export.apart
    return Dataset(source.parent, samples if sure else tuple(replace(sample, texts={}) for sample in samples))


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


def _results(tasks: Iterable[Json]) -> Iterator[Json]:
    for task in tasks:
        for annotation in task.get("annotations") or ():
            yield from (region for region in annotation.get("result") or () if region.get("type") in KINDS)


def _parsed(config: Path, industry_keys: Sequence[str]) -> LabelConfig:
    try:
        return LabelConfig.parse(config.read_text("utf-8-sig"), industry_keys)
    except OSError as missing:
        raise ValueError(f"{config} cannot be read ({missing}): name a file with the labelling config") from missing
    except ValueError as wrong:
        raise ValueError(f"{config}: {wrong}") from wrong


def _config(tasks: Sequence[Json], source: Path) -> str:
    """The labelling config that tasks and annotations show, as XML."""
    controls: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for region in _results(tasks):
        names = controls[region["from_name"], region["type"]]
        names |= dict.fromkeys(map(str, region.get("value", {}).get(region["type"]) or ()))
    if not controls:
        raise ValueError(
            f"{source} holds no annotation of Choices or RectangleLabels that can be told from a text: label some "
            "tasks and export again, as JSON, or name the labelling config by --config"
        )
    pictures = Counter(name for task in tasks for name, value in task["data"].items() if names_a_picture(value))
    if not pictures:
        raise ValueError(f"{source}: no field of any task names a picture file: name the labelling config by --config")
    image = pictures.most_common(1)[0][0]
    parts = [f"<Image name='image' value={quoteattr('$' + image)}/>"]
    parts += [f"<Text name={quoteattr('text ' + name)} value={quoteattr('$' + name)}/>" for name in _texts(tasks)]
    for (name, kind), labels in controls.items():
        item = "Choice" if kind == "choices" else "Label"
        many = " choice='multiple'" if kind == "choices" else ""
        inner = "".join(f"<{item} value={quoteattr(label)}/>" for label in labels)
        parts.append(f"<{KINDS[kind]} name={quoteattr(name)} toName='image'{many}>{inner}</{KINDS[kind]}>")
    return f"<View>{''.join(parts)}</View>"


def _texts(tasks: Sequence[Json]) -> list[str]:
    """Data fields that hold texts, but no addresses, in any task."""
    said = [(name, value) for task in tasks for name, value in task["data"].items() if isinstance(value, str)]
    addresses = {name for name, value in said if names_a_picture(value) or "://" in value}
    return [name for name in dict.fromkeys(name for name, _ in said) if name not in addresses]


def _sample(task: Json, config: LabelConfig, files: PictureFiles, family_key: str) -> Sample:
    seen = reference_of(config, task)
    picture = files.of(seen.image) if seen.image else None
    name = picture.name if picture else ""
    gold = gold_of(config, task.get("annotations") or ())
    level1, level2 = (*seen.industry, "", "")[:2]
    return Sample(
        id=f"{task.get('id', '')}/{name}",
        picture=picture,
        title=seen.title,
        level1=level1,
        level2=level2,
        product_id=family_of(seen.title, task["data"], task.get("id", 0), family_key),
        labels=_labels(gold),
        boxes=tuple(_percent(entry) for entry in (gold.boxes if gold else None) or ()),
        labelled=gold is not None,
        boxed=picture is not None and gold is not None and gold.boxes is not None,
        texts=seen.texts,
    )


def _labels(gold: Gold | None) -> tuple[str, ...]:
    if gold is None:
        return ()
    implied = frozenset(entry.label for entry in gold.boxes or ())
    return tuple(sorted(gold.labels if gold.labels is not None else implied))


def _percent(entry: LabelledBox) -> GoldBox:
    box = entry.box
    x, y, width, height = (round(100 * edge, 6) for edge in (box.left, box.top, box.width, box.height))
    return GoldBox(entry.label, x, y, width, height)
