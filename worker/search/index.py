"""What one project's items are found by: vectors in a file that grows, and rows and words in an SQLite database.

The database says which rows of the vectors' file count, and for which task. Vectors are on the disk before the row that
counts them is committed. So a killed writer leaves rows that nobody counts, and the next one writes over them. A task
that is changed gets a new row; its old row counts no more, nor does that of a removed task. When most rows do not
count, the others are copied into a new file.
"""

import hashlib
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from model.search.projection import WIDTH
from model.search.vectors import VectorFile

WAIT_S = 30.0
"""Seconds for which a writer waits for another one, and a reader for a commit."""
FEW_DEAD = 1_000
"""Rows that do not count up to which no copy is made."""
LONGEST = 20_000  # characters of a text whose words are kept
_SEPARATOR = "\x1f"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
  row INTEGER PRIMARY KEY, task_id INTEGER NOT NULL UNIQUE, item_key TEXT NOT NULL, family INTEGER NOT NULL,
  hash INTEGER NOT NULL, title TEXT NOT NULL, industry TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS dates (task_id INTEGER PRIMARY KEY, updated_us INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(title, reading, tokenize = 'unicode61 remove_diacritics 2');
"""
# Latin words and numbers, or runs of any other letters, such as Chinese ones.
_RUNS = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*|[^\W\d_a-z]+")


@dataclass(frozen=True)
class Entry:
    """One item as it is kept. ``family`` is a number that the views of one product share (`family_number`).

    ``updated_us`` is when its task was changed.
    """

    task_id: int
    updated_us: int
    item_key: str
    family: int
    hash: int
    title: str
    reading: str
    industry: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What the rows belong to. ``stamp`` grows with every change; ``rows`` of the file count, or did."""

    space: str = ""
    projection: str = ""
    file: str = ""
    rows: int = 0
    stamp: int = 0


class Index:
    """The index of one project, in a folder of its own that need not be there yet, of vectors of one width."""

    def __init__(self, folder: Path, width: int = WIDTH) -> None:
        self.folder = folder
        self._width = width
        self._path = folder / "items.db"

    def is_there(self) -> bool:
        return self._path.is_file()

    def state(self) -> State:
        """Return the state; an empty one where there is no index, or where its vectors are not all there."""
        if not self.is_there():
            return State()
        with self.reading() as connection:
            return self.state_in(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees the index as it is at one moment."""
        with closing(self._opened()) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Yield the only writer; what it did counts when the block ends without an error."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with closing(self._opened()) as connection:
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            writer = Writer(self, connection)
            yield writer
            writer.finish()
            connection.commit()
            writer.clean()

    def known(self, after: int, upto: int) -> dict[int, tuple[str, int | None]]:
        """Return the item key of each task that is held with an id in (after, upto], and when it was changed, by id.

        The date is None for a task that was read in another way than the last writer reads (`Writer.read_as`).
        """
        query = (
            "SELECT task_id, item_key, updated_us FROM items LEFT JOIN dates USING (task_id) "
            "WHERE task_id > ? AND task_id <= ?"
        )
        with self.reading() as connection:
            return {task: (key, date) for task, key, date in connection.execute(query, (after, upto))}

    def count(self) -> int:
        """Return the number of tasks that are held."""
        with self.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])

    def state_in(self, connection: sqlite3.Connection) -> State:
        """Return the state that a connection sees; an empty one where vectors are missing."""
        values: Mapping[str, str] = dict(connection.execute("SELECT name, value FROM state"))
        if "space" not in values:
            return State()
        state = State(
            values["space"], values["projection"], values["file"], int(values["rows"]), int(values["stamp"])
        )  # fmt: skip
        if self.file(state).holds() < state.rows:
            # Somebody has deleted or cut the file: nothing of it counts, and all is computed again.
            return State(stamp=state.stamp)
        return state

    def file(self, state: State) -> VectorFile:
        """Return the file of a state's vectors."""
        return VectorFile(self.folder / state.file, self._width)

    def vectors(self, state: State) -> Tensor:
        """Return the (N, D) vectors of all rows of a state, mapped from the file."""
        return self.file(state).rows(state.rows)

    def _opened(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)


class Writer:
    """Changes an index within one transaction."""

    def __init__(self, index: Index, connection: sqlite3.Connection) -> None:
        self._index, self._connection = index, connection
        self.state = index.state_in(connection)
        self._is_changed = False

    def held(self) -> dict[int, str]:
        """Return the item keys of all tasks that are held, by task id."""
        return dict(self._connection.execute("SELECT task_id, item_key FROM items"))

    def read_as(self, reading: str) -> None:
        """Drop the dates of all tasks if they were read in another way; the next dates are of this one.

        ``reading`` tells ways of reading tasks apart, such as labelling configs.
        """
        query = "SELECT value FROM state WHERE name = 'reading'"
        if self._connection.execute(query).fetchone() != (reading,):
            self._connection.execute("DELETE FROM dates")
            self._connection.execute("INSERT OR REPLACE INTO state VALUES ('reading', ?)", (reading,))

    def note(self, dates: Mapping[int, int]) -> None:
        """Note when tasks were changed that are held as they should be."""
        self._connection.executemany("INSERT OR REPLACE INTO dates VALUES (?, ?)", list(dates.items()))

    def begin(self, space: str, projection: str) -> None:
        """Drop all rows where they are of another space or projection, or where vectors are missing."""
        if (self.state.space, self.state.projection) == (space, projection) and self.state.file:
            return
        self._connection.execute("DELETE FROM items")
        self._connection.execute("DELETE FROM words")
        self._restart(State(space, projection, stamp=self.state.stamp))

    def add(self, entries: Sequence[Entry], vectors_ND: Tensor) -> None:
        """Add items with their vectors, in place of older rows of their tasks. Raises OSError on a full disk."""
        if not entries:
            return
        self.remove([entry.task_id for entry in entries])
        self._index.file(self.state).append(self.state.rows, vectors_ND)
        rows = range(self.state.rows, self.state.rows + len(entries))
        self._connection.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (row, one.task_id, one.item_key, one.family, one.hash, one.title, joined(one.industry))
                for row, one in zip(rows, entries, strict=True)
            ],
        )
        self._connection.executemany(
            "INSERT INTO words (rowid, title, reading) VALUES (?, ?, ?)",
            [
                (row, " ".join(words_of(one.title)), " ".join(words_of(one.reading)))
                for row, one in zip(rows, entries, strict=True)
            ],
        )
        self.note({one.task_id: one.updated_us for one in entries})
        self.state = State(self.state.space, self.state.projection, self.state.file, rows.stop, self.state.stamp)
        self._is_changed = True

    def remove(self, task_ids: Collection[int]) -> None:
        """Let the rows of these tasks count no more."""
        ids = [(task_id,) for task_id in task_ids]
        self._connection.executemany("DELETE FROM words WHERE rowid = (SELECT row FROM items WHERE task_id = ?)", ids)
        before = self._connection.total_changes
        self._connection.executemany("DELETE FROM items WHERE task_id = ?", ids)
        self._is_changed |= self._connection.total_changes > before
        self._connection.executemany("DELETE FROM dates WHERE task_id = ?", ids)

    def finish(self) -> None:
        """Copy the rows that count if most do not, and write down the state."""
        (live,) = self._connection.execute("SELECT count(*) FROM items").fetchone()
        if self.state.rows - live > max(live, FEW_DEAD):
            self._compact()
        if self._is_changed:
            state = self.state
            values = {"space": state.space, "projection": state.projection, "file": state.file, "rows": state.rows,
                      "stamp": state.stamp + 1}  # fmt: skip
            self._connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))

    def clean(self) -> None:
        """Delete vectors' files that no state names. Whoever still reads one keeps it until then."""
        for file in self._index.folder.glob("vectors-*"):
            if file.name != self.state.file:
                file.unlink(missing_ok=True)

    def _compact(self) -> None:
        rows = [row for (row,) in self._connection.execute("SELECT row FROM items ORDER BY row")]
        vectors_ND = self._index.file(self.state).rows(self.state.rows)[rows]
        # New numbers are at most the old ones, and in their order: no two rows have one number at any time.
        numbers = [(new, old) for new, old in enumerate(rows) if new != old]
        self._connection.executemany("UPDATE items SET row = ? WHERE row = ?", numbers)
        self._connection.executemany("UPDATE words SET rowid = ? WHERE rowid = ?", numbers)
        self._restart(State(self.state.space, self.state.projection, stamp=self.state.stamp))
        self._index.file(self.state).append(0, vectors_ND)
        self.state = State(
            self.state.space, self.state.projection, self.state.file, len(rows), self.state.stamp
        )  # fmt: skip

    def _restart(self, state: State) -> None:
        """Begin a new file of vectors."""
        name = f"vectors-{state.stamp + 1}.f16"
        (self._index.folder / name).unlink(missing_ok=True)
        self.state = State(state.space, state.projection, name, 0, state.stamp)
        self._is_changed = True


def words_of(text: str) -> list[str]:
    """Return the words of a text: Latin words and numbers, and of Chinese runs each character and each pair."""
    words: list[str] = []
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text[:LONGEST]).casefold()):
        if run[0].isascii():
            words.append(run)
        else:
            words += [*run, *(run[place : place + 2] for place in range(len(run) - 1))]
    return words


def asked_words(text: str) -> list[str]:
    """Return the words that are looked for: of Chinese runs the pairs, a lone character by itself."""
    found = words_of(text)
    paired = {character for word in found if len(word) == 2 and not word.isascii() for character in word}
    return list(dict.fromkeys(word for word in found if word not in paired))


def joined(industry: Sequence[str]) -> str:
    """Return an industry path as one text in which each level stands between separators."""
    return _SEPARATOR + "".join(f"{level}{_SEPARATOR}" for level in industry) if industry else ""


def levels(text: str) -> tuple[str, ...]:
    """Return the levels of an industry path that was joined."""
    return tuple(level for level in text.split(_SEPARATOR) if level)


def family_number(family: str) -> int:
    """Return a signed number of 64 bits for a product family's name."""
    return int.from_bytes(hashlib.blake2b(family.encode(), digest_size=8).digest(), "big", signed=True)


def by_words(connection: sqlite3.Connection, text: str, most: int) -> dict[int, float]:
    """Return the rows that hold words of a text, by BM25, the best 1.0; a word of the title counts twice."""
    words = asked_words(text)[:64]
    if not words:
        return {}
    query = " OR ".join('"' + word.replace('"', '""') + '"' for word in words)
    found = connection.execute(
        "SELECT rowid, -bm25(words, 2.0, 1.0) FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (query, most)
    ).fetchall()
    best = max((score for _, score in found), default=0.0)
    # Words that stand in most items have no weight in BM25, or one below zero.
    return {row: max(score, 0.0) / best if best > 0 else 1.0 for row, score in found}


@dataclass(frozen=True)
class Rows:
    """All rows of a state as tensors: the task of each (-1 where the row does not count), product family, and hash."""

    state: State
    task_N: Tensor
    family_N: Tensor
    hash_N: Tensor
    vectors_ND: Tensor

    @cached_property
    def in_order(self) -> Tensor:
        """The rows in the order of their tasks' ids."""
        return self.task_N.argsort()

    def of_tasks(self, tasks: Tensor) -> Tensor:
        """Return (N,) which rows are of these tasks (int64, in any order)."""
        are_N = torch.zeros(len(self.task_N), dtype=torch.bool)
        if len(self.task_N):
            at = torch.searchsorted(self.task_N, tasks, sorter=self.in_order).clamp(max=len(self.task_N) - 1)
            rows = self.in_order[at]
            are_N[rows[self.task_N[rows] == tasks]] = True
        return are_N

    @classmethod
    def of(cls, index: Index) -> "Rows":
        """Read the rows of an index."""
        with index.reading() as connection:
            state = index.state_in(connection)
            vectors_ND = index.vectors(state)
            found = torch.tensor(
                connection.execute("SELECT row, task_id, family, hash FROM items").fetchall() if state.file else [],
                dtype=torch.int64,
            ).reshape(-1, 4)
        known_N3 = torch.tensor([-1, 0, 0]).repeat(state.rows, 1)
        known_N3[found[:, 0]] = found[:, 1:]
        task_N, family_N, hash_N = known_N3.T.contiguous()
        return cls(state, task_N, family_N, hash_N, vectors_ND)
