"""Read the data of an evaluation: a folder of pictures with items.csv, or an export of Label Studio."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from xml.sax.saxutils import quoteattr

from labelstudio.config import LabelConfig
from labelstudio.gold import gold_of
from labelstudio.regions import names_in
from labelstudio.tasks import reference_of
from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox
from tagloom.datasets.box_table import GoldBox
from tagloom.datasets.dataset import Dataset, Sample, left_out, load
from tagloom.datasets.labels import Spellings
from tagloom.datasets.texts import text_of
from tagloom.evaluation.exports import Json, export_of
from tagloom.evaluation.files import MissingPictureError, PictureFiles, names_a_picture
from worker.corpus.families import family_of

KINDS = {"choices": "Choices", "rectanglelabels": "RectangleLabels"}


def read(
    source: Path,
    pictures: Path | None = None,
    config: Path | None = None,
    *,
    family_key: str = "",
    industry_keys: Sequence[str] = (),
) -> Dataset:
    """Return the samples of a folder, or of an export whose pictures are below ``pictures`` (see ``PictureFiles``).

    Items without a picture become samples of their texts. Items whose picture file is missing are left out, and the
    notes say so. An export does not contain the project's labelling config, so ``config`` may name it. Without one, the
    controls are those that have answers, and the texts are all texts in the data of a JSON export. In the other formats
    a text may be the answer of a control, so their samples get a title but no further texts.

    ``family_key`` and ``industry_keys`` are the settings of the export's project, so that products form the same
    families as in the worker.

    Raises ValueError, which says what is wrong and how to correct it.
    """
    if os.path.isdir(source):
        if config:
            raise ValueError(f"{source} is a folder, whose items.csv says what is what: leave --config out")
        return load(source, need_pictures=False)
    if pictures and not os.path.isdir(pictures):
        raise ValueError(f"--pictures {pictures} is no folder: name the one that the pictures are in")
    try:
        known = LabelConfig.parse(text_of(config).content, industry_keys) if config else None
    except ValueError as wrong:
        raise ValueError(f"--config {config}: {wrong}") from wrong
    export = export_of(source, {control.name: control.KIND for control in known.controls} if known else {})
    # Without the labelling config, its controls and labels are derived from the answers.
    spellings = Spellings(label for _, _, labels in _results(export.tasks) for label in labels if label.strip())
    shown = known or LabelConfig.parse(_config(export.tasks, source, spellings), industry_keys)
    notes = [*export.notes, *(_unknown(export.tasks, known, f"{config}") if known else spellings.notes())]
    files = PictureFiles(pictures or source.parent)
    samples, missing = _samples(export.tasks, shown, files, source, family_key)
    named = len(missing) + sum(sample.picture is not None for sample in samples)
    notes += left_out(missing, named, "name the folder that they are in by --pictures FOLDER")
    # Any of the texts may be an answer.
    if known is None and not export.apart:
        samples = [replace(sample, texts={}) for sample in samples]
    return Dataset(source.parent, tuple(samples), tuple(notes))


def _samples(
    tasks: Iterable[Json], config: LabelConfig, files: PictureFiles, source: Path, family_key: str
) -> tuple[list[Sample], list[str]]:
    """Return the samples, and why other tasks have none (their picture is missing). ValueError for fractions."""
    samples: list[Sample] = []
    missing: list[str] = []
    for task in tasks:
        try:
            samples.append(_sample(task, config, files, family_key))
        except MissingPictureError as fault:
            missing.append(f"task {task.get('id', '')}: {fault}")
    # 1 % of the picture, with room for rounding: Label Studio's own rectangles are never all so small.
    edges = [max(box.x + box.width, box.y + box.height) for sample in samples for box in sample.boxes]
    if edges and max(edges) <= 1.005:
        raise ValueError(
            f"{source}: all rectangles end at 1 % of the picture, as if they were fractions: Label Studio's are "
            "percent, so make them percent (0.5 is 50) and import them again"
        )
    return samples, missing


def gold_picture(boxes: Sequence[GoldBox], labels: Sequence[str]) -> GoldPicture:
    """Return the gold boxes, and the boxes in ``extra`` whose prediction is no error.

    Those are second readings of an element, announcements of gifts, and doubtful boxes.
    """
    sure: list[LabelledBox] = []
    ignored: list[LabelledBox] = []
    for entry in boxes:
        box = _box(entry.x, entry.y, entry.width, entry.height)
        (ignored if entry.extra.startswith("doubtful") else sure).append(LabelledBox(entry.label, box))
        for name, numbers in entry.regions():
            meant = {"gift_text": ("文案", "赠品"), "ignore": labels}.get(name, (entry.label,))
            ignored += [LabelledBox(label, _box(*numbers)) for label in meant]
    return GoldPicture(tuple(sure), tuple(ignored))


def _box(x: float, y: float, width: float, height: float) -> Box:
    return Box(max(0.0, x / 100), max(0.0, y / 100), min(1.0, (x + width) / 100), min(1.0, (y + height) / 100))


def _results(tasks: Iterable[Json]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield control, kind and labels of each region that can be read. Somebody may have edited the file."""
    for task in tasks:
        for annotation in task["annotations"]:
            result = annotation.get("result")
            for region in result if isinstance(result, list) else ():
                if not isinstance(region, dict):
                    continue
                name, kind, value = region.get("from_name"), region.get("type"), region.get("value")
                if not (isinstance(name, str) and isinstance(kind, str) and isinstance(value, dict)):
                    continue
                if name and kind in KINDS and value:
                    yield name, kind, names_in(value, kind)


def _unknown(tasks: Sequence[Json], config: LabelConfig, where: str) -> Iterator[str]:
    """Yield a note for each label in the answers that the config lacks. ValueError when it lacks all of them."""
    controls = {control.name: control.labels for control in config.controls}
    answers = [(name, label) for name, _, labels in _results(tasks) for label in labels]
    odd = [(name, label) for name, label in answers if label not in controls.get(name, {})]
    if odd and len(odd) == len(answers):
        name, label = odd[0]
        raise ValueError(
            f"{where} knows none of the {len(answers)} answers, such as {label!r} of control {name!r} (its controls "
            f"are {', '.join(controls)}): name the labelling config of this project"
        )
    for (name, label), count in Counter(odd).items():
        near = get_close_matches(label, controls.get(name, {}), 1)
        nearest = f" (the nearest is {near[0]!r})" if near else ""
        yield (
            f"{where} has no label {label!r} in control {name!r}{nearest}: {count} answers are not understood; "
            "labels beside them that were not given are unknown"
        )


def _config(tasks: Sequence[Json], source: Path, spellings: Spellings) -> str:
    """Return a labelling config, as XML, with the controls and fields that tasks and annotations use.

    All spellings of a label become one label.
    """
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for name, kind, labels in _results(tasks):
        found[name, kind] |= dict.fromkeys(filter(str.strip, labels))
    controls = {control: tuple(known) for control, known in found.items() if known}
    if not controls:
        raise ValueError(
            f"{source} holds no annotation of Choices or RectangleLabels that can be told from a text: label some "
            "tasks and export again, as JSON, or name the labelling config by --config"
        )
    pictures = Counter(name for task in tasks for name, value in task["data"].items() if names_a_picture(value))
    if not pictures:
        raise ValueError(f"{source}: no field of any task names a picture file: name the labelling config by --config")
    # The field that names a picture in the most tasks is the picture. Fields with addresses are no texts.
    image = pictures.most_common(1)[0][0]
    texts = [(name, value) for task in tasks for name, value in task["data"].items() if isinstance(value, str)]
    addresses = {name for name, value in texts if names_a_picture(value) or "://" in value}
    parts = [f"<Image name='image' value={quoteattr('$' + image)}/>"]
    for name in dict.fromkeys(name for name, _ in texts if name not in addresses):
        parts.append(f"<Text name={quoteattr('text ' + name)} value={quoteattr('$' + name)}/>")
    for (name, kind), named in controls.items():
        item = "Choice" if kind == "choices" else "Label"
        many = " choice='multiple'" if kind == "choices" else ""
        inner = ""
        for label in named:
            label_name = (spellings.of(label) or label).strip()
            # Commas separate predicted values, so a name with a comma cannot be one.
            plain = label_name == label or "," in label_name
            value = "" if plain else f" predicted_values={quoteattr(label_name)}"
            inner += f"<{item} value={quoteattr(label)}{value}/>"
        parts.append(f"<{KINDS[kind]} name={quoteattr(name)} toName='image'{many}>{inner}</{KINDS[kind]}>")
    return f"<View>{''.join(parts)}</View>"


def _sample(task: Json, config: LabelConfig, files: PictureFiles, family_key: str) -> Sample:
    """Return a task as a sample, with the gold of its annotations. Raises MissingPictureError."""
    seen = reference_of(config, task)
    picture = files.of(seen.image) if seen.image else None
    name = picture.name if picture else ""
    gold = gold_of(config, task["annotations"])
    level1, level2 = (*seen.industry, "", "")[:2]
    boxes: list[GoldBox] = []
    for entry in (gold.boxes if gold else None) or ():
        edges = (entry.box.left, entry.box.top, entry.box.width, entry.box.height)
        x, y, width, height = (round(100 * edge, 6) for edge in edges)
        boxes.append(GoldBox(entry.label, x, y, width, height))
    return Sample(
        id=f"{task.get('id', '')}/{name}",
        picture=picture,
        title=seen.title,
        level1=level1,
        level2=level2,
        product_id=family_of(seen.title, task["data"], task.get("id", 0), family_key),
        labels=tuple(sorted(gold.labels)) if gold else (),
        unknown=gold.unknown if gold else frozenset(),
        boxes=tuple(boxes),
        labelled=gold is not None,
        boxed=picture is not None and gold is not None and gold.boxes is not None and not gold.unknown_boxes,
        texts=seen.texts,
    )
