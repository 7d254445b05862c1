"""Break each of Tagloom's main guarantees in a copy of the tree, and check that the tests fail.

    python -m bench.mutations [--only WORDS]

`mutations.toml` is the table. Exits 1 when the tests of a change pass, or when they fail without any change. The
working tree itself is never changed. Each run of tests is a separate process, forked after the libraries are imported.
"""

import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
LIBRARIES = ("torch", "fastapi.testclient", "sqlalchemy", "httpx", "rq", "hypothesis", "label_studio_sdk")
LONGEST_S = 600.0  # of one run of tests; what hangs has been noticed


@dataclass(frozen=True)
class Mutation:
    """A change that breaks a guarantee, and the tests that must fail by it."""

    guarantee: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def applied(self, source: str) -> str:
        """The source with the change. Raises ValueError unless what is to be replaced stands there exactly once."""
        count = source.count(self.find)
        if count != 1:
            raise ValueError(f"{self.guarantee}: {self.find!r} stands {count} times in {self.file}, not once")
        return source.replace(self.find, self.replace)


def table() -> list[Mutation]:
    """All mutations."""
    entries = tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


@click.command()
@click.option("--only", default="", help="Those whose guarantee holds these words.")
def main(only: str) -> None:
    """Run the mutations, one line each."""
    mutations = [entry for entry in table() if only in entry.guarantee]
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    with TemporaryDirectory() as folder:
        copy = _copied(Path(folder) / "tree")
        verdicts = [_tried(copy, entry) for entry in mutations]
    click.echo(f"{verdicts.count('caught')} of {len(verdicts)} caught")
    sys.exit(verdicts.count("caught") < len(verdicts))


def _copied(copy: Path) -> Path:
    """What git tracks, as it stands in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def _tried(copy: Path, mutation: Mutation) -> str:
    path = copy / mutation.file
    source = path.read_text(encoding="utf-8")
    broken = mutation.applied(source)
    path.write_text(broken, encoding="utf-8")
    try:
        verdict = "caught" if _fail(copy, mutation.tests) else "missed"
    finally:
        path.write_text(source, encoding="utf-8")
    if verdict == "caught" and _are_red(copy, mutation.tests):
        verdict = "red without the change, too"
    click.echo(f"{verdict}: {mutation.guarantee}")
    return verdict


@cache
def _are_red(copy: Path, tests: tuple[str, ...]) -> bool:
    """Whether they fail on the tree as it is, too."""
    return _fail(copy, tests)


def _fail(copy: Path, tests: tuple[str, ...]) -> bool:
    """Whether one of the tests fails, or none ends in time."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(copy, tests))
    process.start()
    process.join(LONGEST_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode != pytest.ExitCode.OK


def _run(copy: Path, tests: tuple[str, ...]) -> None:
    """In a process of its own: the tests on the copy."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "bench"]:
        del sys.modules[name]
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True  # a change within one second leaves a file's time, and Python would go by that
    sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    os._exit(int(pytest.main([*options, *tests])))


if __name__ == "__main__":
    main()
