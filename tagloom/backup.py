"""The command `tagloom backup`: copy into a folder what must not be lost, while backend and workers run."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagloom.command import Answer, Reporting, settings, tell
from tagloom_base.errors import UserError
from tagloom_base.files import replaced

if TYPE_CHECKING:
    from tagloom_base.groups import PathSettings

DATABASE = "tagloom.db"


@dataclass(frozen=True)
class Part:
    """One part of a backup: what people are told of it, and its figures."""

    name: str
    text: str
    figures: Mapping[str, int] = field(default_factory=dict)


@click.command(cls=Reporting)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def backup(folder: Path) -> Answer:
    """Copy the database and all versions into FOLDER, while backend and workers run.

    The next backup into the same FOLDER copies new versions only, and deletes those that are gone. FOLDER can be copied
    back as TAGLOOM_HOME.
    """
    parts = []
    for part in back_up(settings().paths, folder):
        tell(f"{part.name}: {part.text}")
        parts.append(part)
    tell(f"complete: {folder}")
    return Answer({"folder": folder, "parts": {part.name: part.figures for part in parts}})


def back_up(paths: "PathSettings", folder: Path) -> Iterator[Part]:
    """Make ``folder`` a copy of what must not be lost; yield each part. Raises UserError if that fails."""
    home = paths.home.resolve()
    if folder.resolve() == home or home in folder.resolve().parents:
        raise UserError(f"{folder} lies in TAGLOOM_HOME: choose a folder on another disk")
    is_file = paths.database.startswith("sqlite:///")
    database = Path(paths.database.removeprefix("sqlite:///")).resolve() if is_file else None
    if not (database or home / "checkpoints").exists():
        raise UserError(f"{home} is no home of Tagloom: set TAGLOOM_HOME to the backend's")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # it holds annotations
        # Before the checkpoints: so each version in the copied database has its files, unless it was pruned since.
        if database:
            size = copy_database(database, folder / DATABASE)
            yield Part("database", f"{size / 1e6:.1f} MB", {"bytes": size})
        else:
            yield Part("database", "not copied, it is not in TAGLOOM_HOME: use pg_dump")
        for part in ("checkpoints", "forgotten"):
            # None at all is no pruning: the disk with the folder may not be mounted.
            if any(files(home / part)):
                new, gone = mirror(home / part, folder / part)
                yield Part(part, f"{new} files new, {gone} deleted", {"new": new, "deleted": gone})
            elif (folder / part).is_dir():
                yield Part(part, "none there, so the copies of before stay")
        # Made by the first job or backend that needs it.
        with suppress(FileNotFoundError):
            shutil.copyfile(home / "identity", folder / "identity")
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"the backup is not complete: {error}") from error


def copy_database(source: Path, target: Path) -> int:
    """Copy an SQLite database as it is at one moment, with what stands in its log; return the bytes of the copy.

    Nobody has to wait: readers do not hold up writers. Raises sqlite3.Error or OSError.
    """
    with replaced(target) as beside:
        uri = f"{source.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as ours, closing(sqlite3.connect(beside)) as copy:
            # In one step: in several it would begin anew at every write of another process.
            ours.backup(copy)
            (found,) = copy.execute("PRAGMA quick_check").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"{source} is damaged: {found}")
        return beside.stat().st_size


def files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def mirror(source: Path, target: Path) -> tuple[int, int]:
    """Make ``target`` hold the files of ``source``; return how many were copied, and how many deleted.

    A file that has the same size and time is not copied again. Files that are being written, or that lie in a folder
    that is, have names with a dot in front, and are left out.
    """
    held, found = ({path.relative_to(root): path.stat() for path in files(root)} for root in (target, source))
    wanted = {name: stat for name, stat in found.items() if not any(part.startswith(".") for part in name.parts)}
    new = 0
    for name, stat in wanted.items():
        known = held.get(name)
        if known and (known.st_size, known.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            continue
        # A version may be pruned meanwhile.
        with suppress(FileNotFoundError), replaced(target / name) as beside:
            shutil.copy2(source / name, beside)
            new += 1
    gone = held.keys() - wanted.keys()
    for name in gone:
        (target / name).unlink(missing_ok=True)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return new, len(gone)
