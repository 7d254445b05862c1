"""A virtual environment that holds what an installation holds, without downloading it."""

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tools.locked import needed


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
