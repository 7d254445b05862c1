"""What a labelling config (XML) asks for: labels, controls and the data keys of picture, texts and industry."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from labelstudio.controls.choices import Choices
from labelstudio.controls.rectangle_labels import RectangleLabels
from labelstudio.controls.shape_labels import KINDS as SHAPES
from labelstudio.controls.shape_labels import ShapeLabels

Control = Choices | RectangleLabels

_TEXT_TAGS = {"text", "hypertext", "header"}
_TITLE_KEYS = ("title", "标题", "商品标题", "name", "product_title")
_INDUSTRY_KEYS = (
    "industry", "level1", "level2", "category", "category1", "category2", "industry_1", "industry_2",
    "行业", "类目", "一级类目", "二级类目", "一级行业", "二级行业",
)  # fmt: skip
_VARIABLE = re.compile(r"\$([\w\[\].-]*[\w\]])")
_FAR = re.compile(r"\[\d{7,}\]")
_MAX_XML = 1_000_000
_MAX_DEPTH = 100  # levels of tags; Label Studio's own reader gives up behind 200
_MAX_TAGS = 5_000
_MAX_LABELS = 1_000
_MAX_NAME = 500  # characters of a label or of the name of a data key


class ConfigError(ValueError):
    """A labelling config that Tagloom cannot work with. Label Studio shows the message, which names what to change."""


@dataclass(frozen=True)
class LabelConfig:
    """A parsed labelling config.

    ``labels`` are the model's labels in the config's order; ``names[label]`` are all names that the config gives it
    (predicted values, alias, value), from which its cues start. ``industry_keys`` are tried in order on each task.

    ``controls`` are answered; ``shapes`` are read as gold only. ``asides`` are all other controls, ``pictures_beside``
    the pictures that are not answered. Inside a ``<Repeater>`` the first picture is answered; ``repeated`` is what
    stands before and after the number in the names there, and ``unrolled`` the config whose Repeaters are their first
    round, as ``xml`` where there are none: results are written for it.
    """

    xml: str
    labels: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    controls: tuple[Control, ...]
    image_key: str | None
    title_key: str
    text_keys: tuple[str, ...]
    industry_keys: tuple[str, ...]
    shapes: tuple[ShapeLabels, ...] = ()
    pictures_beside: frozenset[str] = frozenset()
    asides: frozenset[str] = frozenset()
    repeated: tuple[tuple[str, str], ...] = ()
    unrolled: str = ""

    @property
    def choices(self) -> tuple[Choices, ...]:
        return tuple(control for control in self.controls if isinstance(control, Choices))

    @property
    def rectangles(self) -> tuple[RectangleLabels, ...]:
        return tuple(control for control in self.controls if isinstance(control, RectangleLabels))

    def is_aside(self, name: str) -> bool:
        """Whether a control of this name is in the config, and none of those that are read."""
        return name in self.asides or self._is_repeated(name)

    def is_of_another_picture(self, name: object, to_name: object) -> bool:
        """Whether a region of this control is about a picture of the task that is not answered."""
        is_beside = isinstance(to_name, str) and to_name in self.pictures_beside
        return is_beside or (isinstance(name, str) and self._is_repeated(name))

    def _is_repeated(self, name: str) -> bool:
        """Whether it is a name inside a ``<Repeater>``, of another picture than the first."""
        own = {control.name for control in (*self.controls, *self.shapes)}
        return name not in own and any(
            name.startswith(before) and name.endswith(after) and name[len(before) : len(name) - len(after)].isdigit()
            for before, after in self.repeated
        )

    @classmethod
    def parse(cls, xml: str, industry_keys: Iterable[str] = ()) -> "LabelConfig":
        """Parse a config; ``industry_keys`` (the setting) replace the usual names. Raises ConfigError."""
        root = _root(xml)
        repeated = tuple(_unrolled(root))
        objects = [_Object.of(tag) for tag in root.iter() if _is_object(tag)]
        image = _picture(root, objects)
        book = _LabelBook()
        controls = tuple(_controls(root, objects, image, book))
        if not controls:
            raise ConfigError(
                "No usable control: add <Choices name=... toName=...> or <RectangleLabels name=... toName=...> "
                "to the config, pointing at its <Image> (or <Text>) tag."
            )
        shapes = tuple(_shapes(root, image, book))
        read = {control.name for control in (*controls, *shapes)}
        if len(book.names) > _MAX_LABELS:
            raise ConfigError(f"The labelling config has more than {_MAX_LABELS:,} labels: split it into two projects.")
        industry = tuple(industry_keys)
        texts = _text_keys(objects, industry or _INDUSTRY_KEYS)
        return cls(
            xml=xml,
            labels=tuple(book.names),
            names={label: tuple(names) for label, names in book.names.items()},
            controls=controls,
            image_key=image.keys[0] if image else None,
            title_key=texts[0] if texts else _TITLE_KEYS[0],
            text_keys=texts[1:],
            industry_keys=industry or _INDUSTRY_KEYS,
            shapes=shapes,
            pictures_beside=frozenset(
                entry.name for entry in objects if entry.tag == "image" and entry is not image and entry.name
            ),
            asides=frozenset(name for tag in root.iter() if tag.get("toName") and (name := tag.get("name"))) - read,
            repeated=repeated,
            unrolled=ET.tostring(root, encoding="unicode") if repeated else xml,
        )


@dataclass(frozen=True)
class _Object:
    """An object tag: what is shown, and the data keys it shows."""

    tag: str
    name: str | None
    keys: tuple[str, ...]
    is_list: bool

    @classmethod
    def of(cls, tag: ET.Element) -> "_Object":
        value = tag.get("value") or tag.get("valueList") or ""
        is_list = tag.get("value") is None and tag.get("valueList") is not None
        keys = tuple(_VARIABLE.findall(value))
        for key in keys:
            if len(key) > _MAX_NAME or _FAR.search(key):
                raise ConfigError(
                    f'<{tag.tag} value="${key[:60]}...">: no task has such data; shorten the name or place.'
                )
        return cls(tag.tag.lower(), tag.get("name"), keys, is_list)


class _LabelBook:
    """Gives each named label one model label; controls that share any name of a label share the label."""

    def __init__(self) -> None:
        self.names: dict[str, dict[str, None]] = {}
        self._label_of: dict[str, str] = {}

    def label(self, names: list[str], taken: set[str]) -> str:
        """The model label of an entry known by ``names``; never one of ``taken`` (the same control's other entries)."""
        known = [self._label_of[name] for name in names if name in self._label_of and self._label_of[name] not in taken]
        label = known[0] if known else names[0]
        self.names.setdefault(label, {}).update(dict.fromkeys(names))
        for name in names:
            self._label_of.setdefault(name, label)
        return label

    def known(self, names: Iterable[str | None]) -> str | None:
        """The model label that has one of these names, if there is one."""
        return next((self._label_of[name] for name in names if name in self._label_of), None)


def _root(xml: str) -> ET.Element:
    if len(xml) > _MAX_XML:
        raise ConfigError(f"The labelling config is longer than {_MAX_XML:,} characters: move long texts out of it.")
    if "<!DOCTYPE" in xml.upper() or "<!ENTITY" in xml.upper():
        raise ConfigError("The labelling config holds a DOCTYPE or ENTITY: remove it, Label Studio needs none.")
    try:
        root = ET.fromstring(xml)
    except ET.ParseError as error:
        raise ConfigError(f"The labelling config is not well-formed XML ({error}): correct it there.") from error
    except ValueError as error:
        raise ConfigError(f"The labelling config cannot be read ({error}): save it as plain text.") from error
    _check_size(root)
    return root


def _check_size(root: ET.Element) -> None:
    """Level by level: a function that calls itself for each would not come to the end of a deep one."""
    level, tags = [root], 0
    for _ in range(_MAX_DEPTH):
        tags += len(level)
        level = [inner for outer in level for inner in outer]
    if level:
        raise ConfigError(f"The labelling config is nested deeper than {_MAX_DEPTH} levels: take out some of its tags.")
    if tags > _MAX_TAGS:
        raise ConfigError(f"The labelling config has more than {_MAX_TAGS:,} tags: split it into two projects.")


def _unrolled(root: ET.Element) -> Iterator[tuple[str, str]]:
    """Make of each ``<Repeater>`` what its first round is; what stands before and after the number in its names."""
    for repeater in [tag for tag in root.iter() if isinstance(tag.tag, str) and tag.tag.lower() == "repeater"]:
        flag = repeater.get("indexFlag") or "{{idx}}"
        for tag in repeater.iter():
            before, found, after = (tag.get("name") or "").partition(flag)
            if found:
                yield before, after
            for key, text in tag.items():
                tag.set(key, text.replace(flag, "0"))


def _is_object(tag: ET.Element) -> bool:
    return isinstance(tag.tag, str) and tag.get("toName") is None and tag.tag.lower() in (_TEXT_TAGS | {"image"})


def _picture(root: ET.Element, objects: list[_Object]) -> _Object | None:
    """The picture that controls point at, else the first one that shows task data."""
    targets = {target for tag in root.iter() for target in (tag.get("toName") or "").split(",") if target}
    pictures = [entry for entry in objects if entry.tag == "image" and entry.keys]
    aimed = [entry for entry in pictures if entry.name in targets]
    return next(iter(aimed or pictures), None)


def _controls(root: ET.Element, objects: list[_Object], image: _Object | None, book: _LabelBook) -> Iterator[Control]:
    for tag in root.iter():
        kind = tag.tag.lower() if isinstance(tag.tag, str) else ""
        if kind not in (Choices.KIND, RectangleLabels.KIND):
            continue
        target = _target(tag, objects, image)
        if target is None or tag.get("perRegion") == "true":
            continue  # another picture's control, or a question about one region: both are left to the annotator
        labels = _labels(tag, kind, book)
        name = tag.get("name") or ""
        if kind == Choices.KIND:
            multiple, conditional = tag.get("choice") == "multiple", tag.get("visibleWhen") is not None
            yield Choices(name, target, labels, multiple, conditional)
        else:
            yield RectangleLabels(name, target, labels, 0 if image and image.is_list else None)


def _shapes(root: ET.Element, image: _Object | None, book: _LabelBook) -> Iterator[ShapeLabels]:
    """Controls of other shapes on our picture; of their labels those that a control which is answered has, too."""
    for tag in root.iter():
        kind = tag.tag.lower() if isinstance(tag.tag, str) else ""
        targets = [target.strip() for target in (tag.get("toName") or "").split(",")]
        if kind in SHAPES and image is not None and image.name in targets:
            names = [
                (name, [alias, value])
                for entry in tag.iter()
                if isinstance(entry.tag, str) and entry.tag.lower() == RectangleLabels.ITEM
                for alias, value in [(entry.get("alias"), entry.get("value"))]
                if (name := alias or value)
            ]
            labels = {name: book.known(own) or name for name, own in names}
            yield ShapeLabels(tag.get("name") or "", str(image.name), kind, labels)


def _target(tag: ET.Element, objects: list[_Object], image: _Object | None) -> str | None:
    """The object name to answer for: our picture, or a text shown with it; None when the control is not ours."""
    kind, name = tag.tag, tag.get("name")
    wanted = [target.strip() for target in (tag.get("toName") or "").split(",") if target.strip()]
    if not name or not wanted:
        raise ConfigError(f"A <{kind}> tag needs both a name and a toName that names an <Image> tag.")
    known = {entry.name: entry for entry in objects if entry.name}
    for target in wanted:
        entry = known.get(target)
        if entry is None:
            continue
        if entry is image or (kind.lower() == Choices.KIND and entry.tag != "image"):
            return target
    if kind.lower() == RectangleLabels.KIND and image is None:
        raise ConfigError(
            f'<{kind} name="{name}"> needs an <Image name="{wanted[0]}" value="$image"/> to draw on: add one.'
        )
    if not any(target in known for target in wanted):
        raise ConfigError(
            f'<{kind} name="{name}" toName="{wanted[0]}">: no tag has that name; add it or change toName.'
        )
    return None


def _labels(tag: ET.Element, kind: str, book: _LabelBook) -> dict[str, str]:
    """Name in results → model label. An alias takes the value's place in results, as Label Studio does it."""
    item = Choices.ITEM if kind == Choices.KIND else RectangleLabels.ITEM
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for entry in tag.iter():
        if not isinstance(entry.tag, str) or entry.tag.lower() != item:
            continue
        name = entry.get("alias") or entry.get("value")
        if not name or name in labels:
            continue
        predicted = [part.strip() for part in (entry.get("predicted_values") or "").split(",") if part.strip()]
        names = [*predicted, *(value for value in (entry.get("alias"), entry.get("value")) if value)]
        if any(len(each) > _MAX_NAME for each in names):
            raise ConfigError(
                f'The label "{name[:60]}..." is longer than {_MAX_NAME} characters: give it a short name.'
            )
        labels[name] = book.label(list(dict.fromkeys(names)), taken)
        taken.add(labels[name])
    if not labels:
        raise ConfigError(
            f'<{tag.tag} name="{tag.get("name")}"> lists no labels: '
            f'write each as <{item.title()} value="..."/> inside it (labels from task data are not supported).'
        )
    return labels


def _text_keys(objects: list[_Object], industry: Iterable[str]) -> tuple[str, ...]:
    """Data keys of shown texts, the title first, without those that hold the industry."""
    aside = set(industry)
    keys = dict.fromkeys(key for entry in objects if entry.tag in _TEXT_TAGS for key in entry.keys)
    texts = [key for key in keys if key not in aside]
    return tuple(sorted(texts, key=lambda key: _TITLE_KEYS.index(key) if key in _TITLE_KEYS else len(_TITLE_KEYS)))
