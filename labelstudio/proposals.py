"""Marks in the ids of proposed regions, which record in an annotation what was proposed to the annotator.

When an annotation is created from a prediction, Label Studio keeps the regions' ids and records for each region whether
it was changed (``origin``). It does not keep the prediction itself. Therefore the ids hold what gold needs to know:

    587fc8f346 t 03 09      ten hex digits of a hash, the tag's mark, the region's number, the number of regions

The hash covers the project, the task, the version and the region's number. With a list of versions one can find the
version that proposed the region.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

TICKED, NOT_TICKED, NO_TAG = "t", "u", "n"
PLAIN_ID = 10  # hex digits of an id without a mark
MOST = 255  # regions that two hex digits can count; the ids of larger proposals have no mark
_ID = re.compile(r"([0-9a-f]{10})([tun])([0-9a-f]{2})([0-9a-f]{2})")


@dataclass(frozen=True)
class Mark:
    """The content of an id: the region's ``number`` of ``total``; ``ticked``: the tag of its label was proposed too."""

    digest: str
    ticked: bool
    number: int
    total: int


def region_seed(project: object, task_id: int | None, version: str) -> str:
    """Return the text that the region ids of one task's prediction are derived from, in backend and worker alike."""
    return f"{project}/{task_id}/{version}"


def region_id(seed: str, number: int, total: int, tag: str) -> str:
    """Return the id of a proposal's region. ``tag`` is TICKED, NOT_TICKED or, if its label can have no tag, NO_TAG."""
    digest = _digest(seed, number)
    return f"{digest}{tag}{number:02x}{total:02x}" if total <= MOST else digest


def mark_of(identity: object) -> Mark | None:
    """Read the mark in a region's id; None if Tagloom did not propose the region, or proposed it without a mark."""
    found = _ID.fullmatch(identity) if isinstance(identity, str) else None
    if found is None:
        return None
    digest, tag, number, total = found.groups()
    return Mark(digest, tag == TICKED, int(number, 16), int(total, 16))


def proposed_by(mark: Mark, project: object, task_id: int, versions: Iterable[str]) -> str:
    """Return the version that proposed the region; the empty string if none of ``versions`` did."""
    seeds = ((version, region_seed(project, task_id, version)) for version in versions)
    return next((version for version, seed in seeds if _digest(seed, mark.number) == mark.digest), "")


def _digest(seed: str, number: int) -> str:
    return hashlib.sha256(f"{seed}#{number}".encode()).hexdigest()[:PLAIN_ID]
