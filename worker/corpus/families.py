"""Product families, that is, all pictures of one product. A split never divides a family; some are held out."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Characters of a family's name; further ones are ignored.
LONGEST = 10_000
_NOISE = re.compile(r"[\W_]+")


def family_of(title: str, data: Mapping[str, Any], task_id: int, key: str = "") -> str:
    """Return a task's family: the normalised value of `key` in its data, else its title, else a name from its id."""
    named = data.get(key) if key else None
    text = str(named)[:LONGEST] if named not in (None, "") else title
    folded = _NOISE.sub("", unicodedata.normalize("NFKC", text).casefold())
    return folded or f"task {task_id}"


def is_held_out(family: str, share: float) -> bool:
    """Return whether gold of this family is never trained on; fixed, and true for about `share` of all families."""
    digest = hashlib.blake2b(family.encode(), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(digest, "big") < share * 2**64
