"""Read the parts of a task that are encoded: the picture's reference, the texts and the industry."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from labelstudio.columns import without_columns
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.templates import filled

_MAX_TEXT = 20_000  # characters kept of one text field; encoders read far fewer
_MAX_PATH = 1_000  # characters read of one field of the industry path
_MAX_LEVELS = 16  # levels of the industry path; the deepest public taxonomies have seven
MAX_URL = 16_000  # characters of a picture's URL; servers accept 8,000
# Blanks are stripped after the split: a pattern that matched them on both sides would backtrack on long runs of blanks.
_PATH = re.compile(r"[>›|→]|(?<=\s)/(?=\s)")
# Beginnings of a picture's address: of data, files, cloud storage, and of Label Studio's own pages.
_ADDRESS = re.compile(
    r"data:image/|(file|s3|s3s|gs|gcs|azure-blob|azure-spi|redis)://|(/[\w.-]+)?/(data/upload|data/local-files|storage-data)/",
    re.IGNORECASE,
)
_WEB = re.compile(r"(https?:/)?/", re.IGNORECASE)
_PICTURE = re.compile(r"[^/]\.(jpe?g|jfif|png|webp|gif|bmp|avif|ico)(?![a-z0-9])", re.IGNORECASE)
_MOST_VALUES = 500  # of a task's data that are looked at for an address
_MAX_INDEX = 6  # digits of a list index in a data key
_PART = re.compile(r"[\w-]+")
_SIGNATURE = re.compile(r"x-amz-signature|x-goog-signature|signature|sig", re.IGNORECASE)
_SIGNED = re.compile(r"x-amz-.*|x-goog-.*|awsaccesskeyid|signature|expires|googleaccessid|s[a-z]|sig", re.IGNORECASE)


@dataclass(frozen=True)
class ItemReference:
    """One task as data: the address of its picture, and its texts. The ids are used only to fetch the picture.

    ``found_under``: the key of the data under which the address stands, if it is not the key that the config shows as a
    picture; else empty.
    """

    image: str | None
    title: str = ""
    industry: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    task_id: int | None = None
    project_id: int | None = None
    found_under: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the task has neither a picture nor any text."""
        return not (self.image or self.title or self.industry or self.texts)


def reference_of(config: LabelConfig, task: Mapping[str, Any], project: ProjectKey | None = None) -> ItemReference:
    """Return the reference of one task payload. Missing fields and fields of other types count as absent; never raises.

    The industry path starts with the outermost level. It joins the values of all industry keys; a value such as
    ``Food > Snacks`` is split into its levels.

    If nothing stands under the picture's key, the first address of a picture elsewhere in the data is the picture and
    no text: from a storage, Label Studio puts the address under the first key of the config, whatever that shows.
    """
    data = task.get("data")
    values: Mapping[str, Any] = without_columns(data) if isinstance(data, dict) else {}
    task_id = task.get("id")
    image = filled(config.image_value, lambda key: _look_up(values, key))
    # Of a list of pictures the first one is read.
    first = image[0] if isinstance(image, list) and image else image
    address = first.strip() if isinstance(first, str) else ""
    found_under = ""
    if config.image_key and not address:
        found_under, address = next(_addresses(config, values), ("", ""))

    def text_of(key: str) -> str:
        text = _text(_look_up(values, key))
        return "" if found_under and text == address[:_MAX_TEXT] else text

    levels = [level.strip() for key in config.industry_keys for level in _PATH.split(text_of(key)[:_MAX_PATH])]
    return ItemReference(
        image=address or None,
        title=text_of(config.title_key),
        industry=tuple(dict.fromkeys(level for level in levels if level))[:_MAX_LEVELS],
        texts={key: text for key in config.text_keys if (text := text_of(key))},
        task_id=task_id if isinstance(task_id, int) else None,
        project_id=project.id if project else None,
        found_under=found_under,
    )


def item_key(connection: str, reference: ItemReference) -> str:
    """Return the key of the task's features in the cache: 64 hex digits, equal for tasks that are encoded alike.

    The signature of a signed URL does not count, because it changes every hour.
    """
    image = reference.image or None
    if image and image.startswith(("http://", "https://", "//")) and len(image) <= MAX_URL:
        # A text that is not a URL, or that holds a lone surrogate, stays as it is.
        with suppress(ValueError):
            parts = urlsplit(image)
            query = parse_qsl(parts.query, keep_blank_values=True)
            if any(_SIGNATURE.fullmatch(key) for key, _ in query):
                kept = [pair for pair in query if not _SIGNED.fullmatch(pair[0])]
                image = urlunsplit(parts._replace(query=urlencode(kept)))
    seen = [
        connection,
        image,
        reference.title,
        list(reference.industry),
        sorted(reference.texts.items()),
    ]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=True).encode()).hexdigest()


def _addresses(config: LabelConfig, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the addresses of pictures in a task's data with their outermost keys.

    The addresses of other pictures are left out: those that the config shows, and further entries of a list.
    """
    others = config.keys_beside | {key for key in [config.image_key] if key and _PART.fullmatch(key) is None}
    beside = others | {part for key in others for part in _PART.findall(key)[:1]}
    # Level by level, so that an address on top comes first.
    level = [(str(key), value) for key, value in list(values.items())[:_MOST_VALUES] if key not in beside]
    seen = 0
    while level and seen < _MOST_VALUES:
        seen += len(level)
        for key, value in level:
            if isinstance(value, str) and _is_address(text := value.strip()):
                yield key, text
        inner = [(key, [*value.values()] if isinstance(value, dict) else value) for key, value in level]
        further = ((key, part) for key, parts in inner if isinstance(parts, list) for part in parts)
        level = list(islice(further, _MOST_VALUES))


def _is_address(text: str) -> bool:
    """Return whether a text is a picture's address and nothing else. A page in the web has no picture's ending."""
    if _ADDRESS.match(text):
        return True
    return len(text) <= MAX_URL and bool(_WEB.match(text) and _PICTURE.search(text)) and len(text.split()) == 1


def _look_up(values: Mapping[str, Any], key: str | None) -> Any:
    """Return ``values['a.b[0]']`` for the key ``a.b[0]`` if it exists, otherwise ``values['a']['b'][0]``, or None."""
    if key is None:
        return None
    if key in values:
        return values[key]
    found: Any = values
    for part in _PART.findall(key):
        if isinstance(found, dict):
            found = found.get(part)
        # The length is checked first, because int() refuses very long texts.
        elif isinstance(found, list) and part.isdecimal() and len(part) <= _MAX_INDEX and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _text(value: Any) -> str:
    """Return a field of the task's data as text; an empty text for what is neither text, number nor list of texts."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:  # Python does not convert integers of more than 4,300 digits
            return ""
    if isinstance(value, list):
        return _clean(" ".join(part for part in value[:_MAX_TEXT] if isinstance(part, str)))
    return ""


def _clean(text: str) -> str:
    """Cut a text to its maximum length and replace lone surrogates, which JSON may hold but UTF-8 cannot."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8").strip()
