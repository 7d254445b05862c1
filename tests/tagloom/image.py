"""The Dockerfile read and carried out in a folder, and an environment like the image's, without a container engine."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tools.locked import needed

ROOT = Path(__file__).parents[2]
RULES = [
    line.strip()
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def is_taken(path: str) -> bool:
    """The last rule that fits a path or a folder above it decides; ``!`` takes back in."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    taken = True
    for rule in RULES:
        pattern = _pattern(rule.removeprefix("!"))
        if any(pattern.fullmatch(one) for one in above):
            taken = rule.startswith("!")
    return taken


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the Dockerfile's instructions in order: the word and its arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def variables() -> dict[str, str]:
    """Return what ENV sets."""
    pairs = [pair for word, rest in instructions() if word == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def command() -> list[str]:
    """Return the words of CMD."""
    (given,) = [rest for word, rest in instructions() if word == "CMD"]
    words: list[str] = json.loads(given)
    return words


def copy(sources: list[str], target: str, context: Path, folder: Path) -> None:
    """Do one COPY from ``context`` into ``folder``, which stands for the WORKDIR."""
    for file in sorted(path for path in context.rglob("*") if path.is_file()):
        name = file.relative_to(context).as_posix()
        for source in sources:
            if not is_taken(name) or (source != "." and name != source and not name.startswith(f"{source}/")):
                continue
            inner = name if source == "." else file.name
            goal = folder / target / inner
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, goal)


def site(python: Path) -> Path:
    """Return the folder of packages of a virtual environment."""
    return python / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def link_needed(python: Path) -> None:
    """Link the distributions of requirements/running.txt, and torch with its own, from this environment into another.

    The scripts of these are not there, except for ``rq``.
    """
    for name in sorted(needed()):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # another build of torch needs it
        for file in found.files or ():
            source, goal = Path(str(found.locate_file(file))).resolve(), site(python) / file
            if file.parts[0] == ".." or not source.is_file() or goal.exists():
                continue
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.symlink_to(source)
    script = python / "bin" / "rq"
    script.write_text(f"#!{python / 'bin' / 'python'}\nfrom rq.cli.cli import main\nmain()\n")
    script.chmod(0o755)


def _pattern(rule: str) -> re.Pattern[str]:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*/|\*\*|\*|\?)", rule) if piece)
    )
