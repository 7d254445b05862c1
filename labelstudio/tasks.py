"""What the encoder sees of a task: references and texts, not yet the picture itself."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey

_MAX_TEXT = 20_000  # characters kept of one text field; encoders read far fewer
_MAX_PATH = 1_000  # characters read of one field of the industry path
_MAX_LEVELS = 16  # of the path; the deepest public taxonomies have seven
MAX_URL = 16_000  # characters of a picture's URL; servers take 8,000
_PATH = re.compile(r"[>›|→]|(?<=\s)/(?=\s)")  # blanks are taken off afterwards: no pattern may look for them twice
_MAX_INDEX = 6  # digits of a place in a list
_PART = re.compile(r"[\w-]+")
_SIGNATURE = re.compile(r"x-amz-signature|x-goog-signature|signature|sig", re.IGNORECASE)
_SIGNED = re.compile(r"x-amz-.*|x-goog-.*|awsaccesskeyid|signature|expires|googleaccessid|s[a-z]|sig", re.IGNORECASE)


@dataclass(frozen=True)
class ItemReference:
    """One task as data: where its picture is, and its texts. The ids only help to fetch the picture."""

    image: str | None
    title: str = ""
    industry: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    task_id: int | None = None
    project_id: int | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing to see and nothing to read."""
        return not (self.image or self.title or self.industry or self.texts)


def reference_of(config: LabelConfig, task: Mapping[str, Any], project: ProjectKey | None = None) -> ItemReference:
    """The reference of one task payload. Missing or odd fields count as absent: this never raises."""
    data = task.get("data")
    values: Mapping[str, Any] = data if isinstance(data, dict) else {}
    task_id = task.get("id")
    return ItemReference(
        image=_image(_look_up(values, config.image_key)),
        title=_text(_look_up(values, config.title_key)),
        industry=_industry(values, config.industry_keys),
        texts={key: text for key in config.text_keys if (text := _text(_look_up(values, key)))},
        task_id=task_id if isinstance(task_id, int) else None,
        project_id=project.id if project else None,
    )


def item_key(connection: str, reference: ItemReference) -> str:
    """64 hex digits that name what the encoder sees, without the signature of a signed URL, which changes hourly."""
    seen = [
        connection,
        _unsigned(reference.image) if reference.image else None,
        reference.title,
        list(reference.industry),
        sorted(reference.texts.items()),
    ]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=True).encode()).hexdigest()


def _look_up(values: Mapping[str, Any], key: str | None) -> Any:
    """``values['a']['b'][0]`` for the key ``a.b[0]``; the plain key wins."""
    if key is None:
        return None
    if key in values:
        return values[key]
    found: Any = values
    for part in _PART.findall(key):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and _is_index(part) and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _is_index(part: str) -> bool:
    return part.isdecimal() and len(part) <= _MAX_INDEX


def _image(value: Any) -> str | None:
    first = value[0] if isinstance(value, list) and value else value
    return first.strip() or None if isinstance(first, str) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    if isinstance(value, list):
        return _clean(" ".join(part for part in value[:_MAX_TEXT] if isinstance(part, str)))
    return ""


def _number(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return ""


def _clean(text: str) -> str:
    """Cut to length, without lone surrogates: JSON may carry them, UTF-8 and tokenizers cannot."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8").strip()


def _industry(values: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The industry path, outermost first: each key's value, a path such as ``Food > Snacks`` taken apart."""
    texts = [_text(_look_up(values, key))[:_MAX_PATH] for key in keys]
    parts = [part.strip() for text in texts for part in _PATH.split(text)]
    return tuple(dict.fromkeys(part for part in parts if part))[:_MAX_LEVELS]


def _unsigned(url: str) -> str:
    if not url.startswith(("http://", "https://")) or len(url) > MAX_URL:
        return url
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if not any(_SIGNATURE.fullmatch(key) for key, _ in query):
            return url
        kept = urlencode([pair for pair in query if not _SIGNED.fullmatch(pair[0])])
    except ValueError:  # no URL, or one with a lone surrogate
        return url
    return urlunsplit(parts._replace(query=kept))
