"""Product families: views of one product, which must stay on one side of any split, and which of them are held out."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST = 10_000  # characters of a name that count
_NOISE = re.compile(r"[\W_]+")


def family_of(title: str, data: Mapping[str, Any], task_id: int, key: str = "") -> str:
    """The product family of a task: what `key` names in its data, else its normalised title, else the task alone."""
    named = data.get(key) if key else None
    text = str(named)[:LONGEST] if named not in (None, "") else title
    folded = _NOISE.sub("", unicodedata.normalize("NFKC", text).casefold())
    return folded or f"task {task_id}"


def is_held_out(family: str, share: float) -> bool:
    """Whether gold of this family is never trained on: the same answer for ever, for about `share` of all families."""
    digest = hashlib.blake2b(family.encode(), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(digest, "big") < share * 2**64
