"""Parse a labelling config (XML): labels, controls, and the data keys of picture, texts and industry."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from labelstudio.controls.choices import Choices
from labelstudio.controls.rectangle_labels import RectangleLabels
from labelstudio.controls.shape_labels import KINDS as SHAPES
from labelstudio.controls.shape_labels import ShapeLabels
from labelstudio.templates import keys_in

Control = Choices | RectangleLabels

# The controls that Tagloom predicts for, and the tags of their labels.
_ITEMS = {Choices.KIND: Choices.ITEM, RectangleLabels.KIND: RectangleLabels.ITEM}
_TEXT_TAGS = {"text", "hypertext", "header"}
# Usual names of the data keys for title and industry, in English and Chinese.
_TITLE_KEYS = ("title", "标题", "商品标题", "name", "product_title")
_INDUSTRY_KEYS = (
    "industry", "level1", "level2", "category", "category1", "category2", "industry_1", "industry_2",
    "行业", "类目", "一级类目", "二级类目", "一级行业", "二级行业",
)  # fmt: skip
_VARIABLE = re.compile(r"\$([\w\[\].-]*[\w\]])")
_FAR = re.compile(r"\[\d{7,}\]")  # a list index that is larger than any list
_MAX_XML = 1_000_000  # characters
_MAX_DEPTH = 100  # levels of tags; Label Studio's own reader fails beyond 200
_MAX_TAGS = 5_000
_MAX_LABELS = 1_000
_MOST_REASONS = 5  # controls of a config without a usable control whose reasons are shown
_MAX_NAME = 500  # characters of a label or of the name of a data key


class ConfigError(ValueError):
    """A labelling config that Tagloom cannot use. Label Studio shows the message, which says what to change."""


class _LeftOut(Exception):  # noqa: N818 - nothing is wrong: the control is left to the annotator
    """Tagloom does not answer a control; the message says why."""


@dataclass(frozen=True)
class LabelConfig:
    """A parsed labelling config.

    ``labels`` are the model's labels in the config's order; ``names[label]`` are all names that the config gives to the
    label (predicted values, alias, value); the label's first cues are made of them. ``industry_keys`` are the data keys
    that may hold a task's industry, in order.

    Tagloom predicts for ``controls`` and only reads gold from ``shapes``; ``asides`` are the names of all other
    controls. ``left_out`` says in one sentence each which controls and objects Tagloom does not answer, and why.
    ``pictures_beside`` are the names of the pictures that Tagloom does not predict for, and ``keys_beside`` their data
    keys. Inside a ``<Repeater>`` Tagloom predicts for the first picture: ``unrolled`` is the config with each Repeater
    replaced by its first round (equal to ``xml`` if the config has no Repeater), and results are written for that
    config. ``repeated`` holds the text before and after the index in each name inside a Repeater.

    ``image_value`` is the value of the picture's tag: ``$`` and ``image_key`` (its first key), or a text around keys.
    """

    xml: str
    labels: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    controls: tuple[Control, ...]
    image_key: str | None
    image_value: str
    title_key: str
    text_keys: tuple[str, ...]
    industry_keys: tuple[str, ...]
    shapes: tuple[ShapeLabels, ...] = ()
    pictures_beside: frozenset[str] = frozenset()
    keys_beside: frozenset[str] = frozenset()
    asides: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()
    unrolled: str = ""

    @property
    def choices(self) -> tuple[Choices, ...]:
        """The ``<Choices>`` controls."""
        return tuple(control for control in self.controls if isinstance(control, Choices))

    @property
    def rectangles(self) -> tuple[RectangleLabels, ...]:
        """The ``<RectangleLabels>`` controls."""
        return tuple(control for control in self.controls if isinstance(control, RectangleLabels))

    def is_aside(self, name: str) -> bool:
        """Return whether the config has a control of this name that is neither in ``controls`` nor in ``shapes``."""
        return name in self.asides or self._is_repeated(name)

    def is_of_another_picture(self, name: object, to_name: object) -> bool:
        """Return whether a region with this ``from_name`` and ``to_name`` belongs to a picture without predictions."""
        is_beside = isinstance(to_name, str) and to_name in self.pictures_beside
        return is_beside or (isinstance(name, str) and self._is_repeated(name))

    def _is_repeated(self, name: str) -> bool:
        """Return whether the name belongs to a control inside a ``<Repeater>`` in another round than the first."""
        own = {control.name for control in (*self.controls, *self.shapes)}
        return name not in own and any(
            name.startswith(before) and name.endswith(after) and name[len(before) : len(name) - len(after)].isdigit()
            for before, after in self.repeated
        )

    @classmethod
    def parse(cls, xml: str, industry_keys: Iterable[str] = ()) -> "LabelConfig":
        """Parse a config. Raises ConfigError if Tagloom can predict for none of its controls; the message says why.

        ``industry_keys`` come from the settings or the connection and replace the usual keys, if there are any.
        """
        root = _root(xml)
        repeated = tuple(_unrolled(root))
        objects = [
            _Object.of(tag)
            for tag in root.iter()
            if isinstance(tag.tag, str) and tag.get("toName") is None and tag.tag.lower() in (_TEXT_TAGS | {"image"})
        ]
        # The picture is the first one that a control with labels points at, otherwise the first one with task data.
        targets = {target.strip() for tag in root.iter() if _asks(tag) for target in tag.get("toName", "").split(",")}
        pictures = [entry for entry in objects if entry.tag == "image" and entry.keys]
        image = next(iter([entry for entry in pictures if entry.name in targets] or pictures), None)
        book = _LabelBook()
        left_out = [f"{_shown(entry.tag, entry.name)}: {entry.problem}" for entry in objects if entry.problem]
        controls = tuple(_controls(root, objects, image, book, left_out))
        if not controls:
            shown = [*left_out[:_MOST_REASONS], *(["..."] if len(left_out) > _MOST_REASONS else [])]
            raise ConfigError(
                "No usable control: add <Choices name=... toName=...> or <RectangleLabels name=... toName=...> "
                "to the config, pointing at its <Image> (or <Text>) tag. " + "; ".join(shown)
            )
        shapes = tuple(_shapes(root, image, book))
        industry = tuple(industry_keys) or _INDUSTRY_KEYS
        texts = _text_keys(objects, industry)
        read = {control.name for control in (*controls, *shapes)}
        others = {name for tag in root.iter() if tag.get("toName") and (name := tag.get("name"))} - read
        beside = [entry for entry in objects if entry.tag == "image" and entry is not image]
        return cls(
            xml=xml,
            labels=tuple(book.names),
            names={label: tuple(names) for label, names in book.names.items()},
            controls=controls,
            image_key=image.keys[0] if image else None,
            image_value=image.value if image else "",
            title_key=texts[0] if texts else _TITLE_KEYS[0],
            text_keys=texts[1:],
            industry_keys=industry,
            shapes=shapes,
            pictures_beside=frozenset(entry.name for entry in beside if entry.name),
            keys_beside=frozenset(key for entry in beside for key in entry.keys),
            asides=frozenset(others),
            left_out=tuple(left_out),
            repeated=repeated,
            unrolled=ET.tostring(root, encoding="unicode") if repeated else xml,
        )


@dataclass(frozen=True)
class _Object:
    """An object tag (a picture or a text), and the keys of the task data that it shows.

    ``problem`` says why it can show no data; it is empty for a usable object.
    """

    tag: str
    name: str | None
    keys: tuple[str, ...]
    is_list: bool
    value: str
    problem: str = ""

    @classmethod
    def of(cls, tag: ET.Element) -> "_Object":
        value = tag.get("value") or tag.get("valueList") or ""
        is_list = tag.get("value") is None and tag.get("valueList") is not None
        is_image = tag.tag.lower() == "image"
        keys = keys_in(value) if is_image else tuple(_VARIABLE.findall(value))
        for key in keys:
            if len(key) > _MAX_NAME or _FAR.search(key):
                problem = f"no task has data under ${key[:60]}...; shorten the name or place"
                return cls(tag.tag.lower(), tag.get("name"), (), is_list, value, problem)
        return cls(tag.tag.lower(), tag.get("name"), keys, is_list, value)


class _LabelBook:
    """Assigns model labels to the entries of controls: entries of two controls that share a name share the label."""

    def __init__(self) -> None:
        self.names: dict[str, dict[str, None]] = {}
        self._label_of: dict[str, str] = {}

    def label(self, names: list[str], taken: set[str]) -> str:
        """Return the model label of an entry with these names, a new one if no name is known yet.

        ``taken`` are the labels of the same control's other entries, which the entry cannot share.
        """
        # The first name that is known decides; without a known name the first name becomes the model's label.
        known = [self._label_of[name] for name in names if name in self._label_of and self._label_of[name] not in taken]
        label = known[0] if known else names[0]
        self.names.setdefault(label, {}).update(dict.fromkeys(names))
        for name in names:
            self._label_of.setdefault(name, label)
        return label

    def size_with(self, entries: Iterable[list[str]]) -> int:
        """Return how many labels there would be with these further entries, each given by its names."""
        return len(self.names) + sum(self.known(names) is None for names in entries)

    def known(self, names: Iterable[str | None]) -> str | None:
        """Return the model label that has one of these names, or None."""
        return next((self._label_of[name] for name in names if name in self._label_of), None)


def _root(xml: str) -> ET.Element:
    """Parse the XML within limits of length, depth and number of tags. Raises ConfigError."""
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
    # The tags are counted level by level, because recursion would fail on a deeply nested config.
    level, tags = [root], 0
    for _ in range(_MAX_DEPTH):
        tags += len(level)
        level = [inner for outer in level for inner in outer]
    if level:
        raise ConfigError(f"The labelling config is nested deeper than {_MAX_DEPTH} levels: take out some of its tags.")
    if tags > _MAX_TAGS:
        raise ConfigError(f"The labelling config has more than {_MAX_TAGS:,} tags: split it into two projects.")
    return root


def _unrolled(root: ET.Element) -> Iterator[tuple[str, str]]:
    """Change each ``<Repeater>`` in place into its first round; yield the text before and after the index in names."""
    for repeater in [tag for tag in root.iter() if isinstance(tag.tag, str) and tag.tag.lower() == "repeater"]:
        flag = repeater.get("indexFlag") or "{{idx}}"
        for tag in repeater.iter():
            before, found, after = (tag.get("name") or "").partition(flag)
            if found:
                yield before, after
            # Data keys contain the index too, for example value="$images[{{idx}}]".
            for key, text in tag.items():
                tag.set(key, text.replace(flag, "0"))


def _asks(tag: ET.Element) -> bool:
    """Return whether a tag is a control that Tagloom can predict for, if it points at the right picture."""
    item = _ITEMS.get(tag.tag.lower()) if isinstance(tag.tag, str) else None
    return item is not None and tag.get("perRegion") != "true" and bool(_items(tag, item))


def _items(tag: ET.Element, item: str) -> list[ET.Element]:
    """Return the labels inside a control that have a name."""
    entries = (entry for entry in tag.iter() if isinstance(entry.tag, str) and entry.tag.lower() == item)
    return [entry for entry in entries if entry.get("alias") or entry.get("value")]


def _without_labels(tag: ET.Element, item: str) -> _LeftOut:
    source = tag.get("value") or ""
    why = f'takes its labels from task data (value="{source[:60]}")' if source else "lists no labels"
    return _LeftOut(f'it {why}: write each as <{item.title()} value="..."/> inside it')


def _controls(
    root: ET.Element, objects: list[_Object], image: _Object | None, book: _LabelBook, left_out: list[str]
) -> Iterator[Control]:
    """Yield the controls that Tagloom predicts for, in the config's order; their labels are added to ``book``.

    Each control that it does not predict for is added to ``left_out``, with the reason.
    """
    for tag in root.iter():
        kind = tag.tag.lower() if isinstance(tag.tag, str) else ""
        is_predicted = kind in _ITEMS
        if not is_predicted and tag.get("toName") is None:
            continue
        try:
            if kind in SHAPES and not _items(tag, RectangleLabels.ITEM):
                raise _without_labels(tag, RectangleLabels.ITEM)
            if not is_predicted:
                raise _LeftOut("it is read as gold, not predicted" if kind in SHAPES else "Tagloom has no such control")
            target = _target(tag, objects, image)
            labels = _labels(tag, kind, book)
        except _LeftOut as reason:
            left_out.append(f"{_shown(tag.tag, tag.get('name'))}: {reason}")
            continue
        name = tag.get("name") or ""
        if kind == Choices.KIND:
            multiple, conditional = tag.get("choice") == "multiple", tag.get("visibleWhen") is not None
            yield Choices(name, target, labels, multiple, conditional)
        else:
            yield RectangleLabels(name, target, labels, 0 if image and image.is_list else None)


def _shapes(root: ET.Element, image: _Object | None, book: _LabelBook) -> Iterator[ShapeLabels]:
    """Yield the controls of other shapes on ``image``; a label gets the model label of a known entry with its name."""
    for tag in root.iter():
        kind = tag.tag.lower() if isinstance(tag.tag, str) else ""
        targets = [target.strip() for target in (tag.get("toName") or "").split(",")]
        if kind in SHAPES and image is not None and image.name in targets:
            named = [(entry.get("alias"), entry.get("value")) for entry in _items(tag, RectangleLabels.ITEM)]
            labels = {name: book.known(own) or name for own in named if (name := own[0] or own[1])}
            if labels:
                yield ShapeLabels(tag.get("name") or "", str(image.name), kind, labels)


def _target(tag: ET.Element, objects: list[_Object], image: _Object | None) -> str:
    """Return the name of the object that a control's predictions refer to: ``image``, or a text shown with it.

    Raises _LeftOut for a control that points at something else, or that asks about single regions.
    """
    name, is_tag = tag.get("name"), tag.tag.lower() == Choices.KIND
    wanted = [target.strip() for target in (tag.get("toName") or "").split(",") if target.strip()]
    if not name or not wanted:
        raise _LeftOut("it needs both a name and a toName that names an <Image> tag")
    # The first known target decides; a <Choices> may also point at a text that is shown with the picture.
    known = {entry.name: entry for entry in objects if entry.name}
    for target in wanted:
        entry = known.get(target)
        if entry is not None and (entry is image or (is_tag and entry.tag != "image")):
            if tag.get("perRegion") == "true":
                raise _LeftOut("it asks about single regions (perRegion)")
            return target
    entries = [known[target] for target in wanted if target in known]
    if not entries:
        raise _LeftOut(f'no tag has the name "{wanted[0]}": add it or change toName')
    if image is None and not is_tag:
        raise _LeftOut(f'it needs an <Image name="{wanted[0]}" value="$image"/> to draw on: add one')
    raise _LeftOut(entries[0].problem or "it belongs to another object than the picture that Tagloom reads")


def _labels(tag: ET.Element, kind: str, book: _LabelBook) -> dict[str, str]:
    """Return a control's labels: the name in results (the alias, or else the value) → model label.

    Raises _LeftOut for a control without labels or with labels that cannot be used; ``book`` is then unchanged.
    """
    item = _ITEMS[kind]
    entries: dict[str, list[str]] = {}
    for entry in _items(tag, item):
        name = entry.get("alias") or entry.get("value") or ""
        if name in entries:
            continue
        # ``predicted_values`` are the names by which a model knows the label. They precede the alias and the value, so
        # that the first of them becomes the model's label.
        predicted = [part.strip() for part in (entry.get("predicted_values") or "").split(",") if part.strip()]
        names = [*predicted, *(value for value in (entry.get("alias"), entry.get("value")) if value)]
        entries[name] = list(dict.fromkeys(names))
        if any(len(each) > _MAX_NAME for each in names):
            raise _LeftOut(f'its label "{name[:60]}..." is longer than {_MAX_NAME} characters: give it a short name')
    if not entries:
        raise _without_labels(tag, item)
    if book.size_with(entries.values()) > _MAX_LABELS:
        raise _LeftOut(f"the config would have more than {_MAX_LABELS:,} labels with it: split it into two projects")
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for name, names in entries.items():
        labels[name] = book.label(names, taken)
        taken.add(labels[name])
    return labels


def _shown(tag: str, name: str | None) -> str:
    return f'<{tag} name="{name[:60]}">' if name else f"<{tag}>"


def _text_keys(objects: list[_Object], industry: Iterable[str]) -> tuple[str, ...]:
    """Return the data keys of shown texts, the title first, without the keys that hold the industry."""
    aside = set(industry)
    keys = dict.fromkeys(key for entry in objects if entry.tag in _TEXT_TAGS for key in entry.keys)
    texts = [key for key in keys if key not in aside]
    return tuple(sorted(texts, key=lambda key: _TITLE_KEYS.index(key) if key in _TITLE_KEYS else len(_TITLE_KEYS)))
