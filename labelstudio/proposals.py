"""Marks in the ids of proposed regions, by which an annotation tells what was proposed to its annotator.

Label Studio keeps a region's id when an annotation is made of a prediction, and says of each region whether it was
changed (``origin``). It does not keep the prediction as the annotator saw it. So the ids say what gold needs to know:

    587fc8f346 t 03 09      ten hex digits of a hash, the tag's mark, the region's number, how many regions there are

The hash is of the project, the task, the version and the number: who knows the versions can tell which one proposed.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

TICKED, NOT_TICKED, NO_TAG = "t", "u", "n"
PLAIN_ID = 10  # hex digits of an id that carries no mark
MOST = 255  # regions that two hex digits can count; the ids of larger proposals carry no mark
_ID = re.compile(r"([0-9a-f]{10})([tun])([0-9a-f]{2})([0-9a-f]{2})")


@dataclass(frozen=True)
class Mark:
    """What an id says: the region's ``number`` of ``total``; ``ticked``: its label's tag was proposed too."""

    digest: str
    ticked: bool
    number: int
    total: int


def region_seed(project: object, task_id: int | None, version: str) -> str:
    """What the region ids of one task's prediction derive from, whoever writes it."""
    return f"{project}/{task_id}/{version}"


def region_id(seed: str, number: int, total: int, tag: str) -> str:
    """The id of a proposal's region; ``tag`` is TICKED, NOT_TICKED, or NO_TAG for one that is no box with a tag."""
    digest = _digest(seed, number)
    return f"{digest}{tag}{number:02x}{total:02x}" if total <= MOST else digest


def mark_of(identity: object) -> Mark | None:
    """What a region's id says of its proposal; None for one that Tagloom did not propose, or before it left marks."""
    found = _ID.fullmatch(identity) if isinstance(identity, str) else None
    if found is None:
        return None
    digest, tag, number, total = found.groups()
    return Mark(digest, tag == TICKED, int(number, 16), int(total, 16))


def proposed_by(mark: Mark, project: object, task_id: int, versions: Iterable[str]) -> str:
    """Which of these versions proposed the region; empty when none of them did."""
    seeds = ((version, region_seed(project, task_id, version)) for version in versions)
    return next((version for version, seed in seeds if _digest(seed, mark.number) == mark.digest), "")


def _digest(seed: str, number: int) -> str:
    return hashlib.sha256(f"{seed}#{number}".encode()).hexdigest()[:PLAIN_ID]
