"""Print the part of requirements/lock.txt that running Tagloom needs: no tools, no label-studio-ml, no torch.

Read in an environment that holds the whole set: `python -m tools.locked > requirements/running.txt` (scripts/lock).
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "lock.txt"
HEAD = "# What an installation without tools needs of lock.txt; installed without dependencies. Made by scripts/lock.\n"
# Torch is installed after the lock, in whichever build the index has.
TORCH = {"torch", "torchvision"}
EXTRAS = ("postgresql",)


def entries() -> dict[str, str]:
    """Return the lock's entries by name; an entry is one requirement with the lines of its hashes."""
    found = re.findall(r"^[^\s#].*(?:\n[ \t]+.*)*\n", LOCK.read_text("utf-8"), flags=re.MULTILINE)
    return {canonicalize_name(entry.partition("==")[0]): entry for entry in found}


def needed() -> set[str]:
    """Return the distributions that `pyproject.toml` names for running, with what these need in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    left = [Requirement(line) for line in (*project["dependencies"], *extras)]
    seen: set[tuple[str, str]] = set()
    while left:
        wanted = left.pop()
        for pair in {(canonicalize_name(wanted.name), extra) for extra in ("", *wanted.extras)} - seen:
            seen.add(pair)
            # For the first 3.11 and for this one: redis needs more before 3.11.3, and Debian 12 has 3.11.2.
            pythons = [{"extra": pair[1]}, {"extra": pair[1], "python_full_version": "3.11.0"}]
            left += [one for one in _parts(pair[0]) if one.marker is None or any(map(one.marker.evaluate, pythons))]
    return {name for name, _ in seen}


def running() -> str:
    """Return the content of requirements/running.txt."""
    wanted = needed() - TORCH
    return HEAD + "".join(entry for name, entry in entries().items() if name in wanted)


def _parts(name: str) -> Iterable[Requirement]:
    # The lock has opencv-python-headless in the place of rapidocr's opencv_python, which would need libGL.
    return [] if name not in {*entries(), *TORCH} else map(Requirement, distribution(name).requires or ())


if __name__ == "__main__":
    print(running(), end="")
