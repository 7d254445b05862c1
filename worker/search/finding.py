"""Find items of projects: similar ones, those that words name, and what somebody may like next.

Scores are shares of what an equal item would get: 1 for an item whose vector is the query's.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from labelstudio.config import LabelConfig
from labelstudio.project import file_name
from model.encoders.joint import JointEncoder
from model.features.item import ItemFeatures
from model.search.copies import are_copies, grouped
from model.search.nearest import nearest
from model.search.projection import picture_part
from model.search.variety import interest, relevance, varied
from store.projects import Project
from store.store import Store
from tagloom_base.errors import UserError
from worker.search.index import Index, Rows, State, by_words, levels
from worker.search.labels import labels_of, tagged
from worker.search.projections import Projections
from worker.search.seeing import joint_index, shown_best

MOST = 1_000
"""The last place of a result, over all pages."""
SPARE = 4
"""How many times the wanted results are ranked, since copies are folded into one."""
BY_WORDS = 2_000
"""The items with the best words that are ranked for a text."""
WORDS = 0.5
"""The share of exact words in the score of a text; the rest is its vector's (docs/results.md)."""
SEEN = 0.4
"""The share of what is seen, by a joint encoder, in the score of a text. Not measured: its weights could not be had."""
MOST_SEEN = 10_000
TOGETHER = 4_096
"""Rows that are multiplied in double precision at a time."""
OPEN = 50
"""Projects whose rows are held at a time."""

Fold: TypeAlias = Literal["nothing", "copies", "products"]


@dataclass(frozen=True)
class Searched:
    """A project in which is searched, with its parsed labelling config."""

    project: Project
    config: LabelConfig


@dataclass(frozen=True)
class Only:
    """Which items may be found: with one of these tags, of this industry (any of its levels), labelled or not."""

    tags: tuple[str, ...] = ()
    industry: str = ""
    labelled: bool | None = None


@dataclass(frozen=True)
class Wanted:
    """What is looked for: like a task of a project, like a picture, by words, or by words and one of the others.

    ``weight`` is the share of the task or picture where words are given, too. ``fold`` makes one result of all copies
    of a picture, or of all views of a product.
    """

    task: tuple[str, int] | None = None
    features: ItemFeatures | None = None
    text: str = ""
    weight: float = 0.5
    only: Only = field(default_factory=Only)
    fold: Fold = "copies"
    count: int = 10
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One result. ``folded`` are the tasks of the same project that stand behind it: copies, or views."""

    project: str
    task: int
    score: float
    title: str
    industry: tuple[str, ...]
    tags: tuple[str, ...]
    folded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Results:
    """The results of one page, best first. ``more``: whether a further page has some."""

    found: tuple[Found, ...]
    more: bool
    searched: int


@dataclass(frozen=True)
class _Open:
    """A project whose index is open."""

    project: Project
    config: LabelConfig
    index: Index
    rows: Rows
    seen: Rows | None


_Result: TypeAlias = tuple[_Open, int, float]
# A row of an open project, and its score.


class Finder:
    """Finds items. Threads may share it; it holds the rows of the projects that were searched last.

    With a joint encoder, words find what is seen too, in projects whose pictures it has encoded.
    """

    def __init__(self, store: Store, folder: Path, space: str, joint: JointEncoder | None = None) -> None:
        self._store, self._folder, self._space = store, folder, space
        self._joint = joint
        self._projections = Projections(folder, space)
        self._rows: OrderedDict[Path, Rows] = OrderedDict()
        self._lock = Lock()

    def search(self, projects: Sequence[Searched], wanted: Wanted) -> Results:
        """Return a page of results from these projects.

        Raises UserError for what cannot be looked for: nothing at all, an unknown task, projects without a read item.
        """
        text = " ".join(wanted.text.split())
        if wanted.task is None and wanted.features is None and not text:
            raise UserError("say what to look for: a task, a picture, or words")
        if not (1 <= wanted.count <= MOST and wanted.page >= 1 and wanted.count * wanted.page <= MOST):
            raise UserError(f"results end at place {MOST:,}: ask for a lower page, or fewer results on each")
        if not 0 <= wanted.weight <= 1:
            raise UserError("weight is a share from 0 (words alone) to 1 (the picture alone)")
        opened = self._opened(projects)
        labels = list(dict.fromkeys(label for one in opened for label in one.config.labels))
        if wanted.only.tags and not set(wanted.only.tags) & set(labels):
            raise UserError(f"no project here has the tag {wanted.only.tags[0]!r}: its tags are {', '.join(labels)}")
        own_D = self._own(opened, wanted)
        need = (wanted.count * wanted.page + 1) * SPARE
        results = [(one, row, score) for one in opened for row, score in self._ranked(one, wanted, own_D, text, need)]
        # A stable sort: of equal results the first project's lower row comes first.
        results = sorted(results, key=lambda result: -result[2])[:need]
        folded = _folded(results, wanted.fold)
        start = wanted.count * (wanted.page - 1)
        shown = folded[start : start + wanted.count]
        return Results(
            tuple(self._told(shown)),
            len(folded) > start + wanted.count,
            sum(int((one.rows.task_N >= 0).sum()) for one in opened),
        )  # fmt: skip

    def recommend(
        self, searched: Searched, seen: Sequence[int], bought: Collection[int] = (), count: int = 10
    ) -> Results:
        """Return what somebody may like who looked at these tasks, in this order, and bought some of them.

        Neither seen items nor copies of them are among it. Raises UserError where none of the tasks is known.
        """
        if not seen:
            raise UserError("say which tasks were looked at")
        if len(seen) > MOST_SEEN:
            raise UserError(f"at most {MOST_SEEN:,} looked-at tasks count: leave the oldest out")
        if not 1 <= count <= MOST:
            raise UserError(f"ask for 1 to {MOST:,} items")
        (opened,) = self._opened([searched])
        rows = opened.rows
        place_of = _places(rows, seen)
        known = [task for task in dict.fromkeys(reversed(seen)) if task in place_of][::-1]
        if not known:
            raise UserError(f"{searched.project.key} has none of the looked-at tasks among its read ones")
        at_S = torch.tensor([place_of[task] for task in known])
        bought_S = torch.tensor([task in bought for task in known])
        seen_SD = rows.vectors_ND[at_S]
        allowed_N = rows.task_N >= 0
        allowed_N[at_S] = False
        candidates_N = _candidates(rows.vectors_ND, seen_SD, bought_S, allowed_N, count)
        copies_NS = are_copies(
            picture_part(rows.vectors_ND[candidates_N]), rows.hash_N[candidates_N],
            picture_part(seen_SD), rows.hash_N[at_S],
        )  # fmt: skip
        candidates_N = candidates_N[~copies_NS.any(1)]
        vectors_ND = rows.vectors_ND[candidates_N]
        relevance_N = relevance(vectors_ND, seen_SD, bought_S)
        chosen = varied(vectors_ND, relevance_N, count)
        shown = [((opened, int(candidates_N[place]), float(relevance_N[place])), ()) for place in chosen]
        return Results(tuple(self._told(shown)), False, int((rows.task_N >= 0).sum()))

    def vectors_of(self, project: Project, task_ids: Collection[int]) -> dict[int, Tensor]:
        """Return the (512,) float16 vectors of those of these tasks that have one."""
        try:
            rows = self._fresh(project)
        except UserError:
            return {}
        return {task: rows.vectors_ND[row].clone() for task, row in _places(rows, task_ids).items()}

    def _opened(self, projects: Sequence[Searched]) -> list[_Open]:
        opened, reasons = [], []
        for one in projects:
            try:
                index = self._index(one.project)
                opened.append(_Open(one.project, one.config, index, self._fresh(one.project), self._seen(index)))
            except UserError as empty:
                reasons.append(str(empty))
        if not opened:
            raise UserError("; ".join(reasons) or "there is no project to search in")
        return opened

    def _index(self, project: Project) -> Index:
        return Index(self._folder / file_name(project.key))

    def _fresh(self, project: Project) -> Rows:
        """Return the project's rows, read again if they have changed. Raises UserError where there are none."""
        index = self._index(project)
        state = index.state()
        if state.space != self._space or not state.rows:
            raise UserError(
                f"no item of {project.key} can be found yet: its pictures are being read, or no worker runs "
                "(`tagloom status` says which)"
            )
        return self._held(index, state)

    def _seen(self, index: Index) -> Rows | None:
        """Return the vectors of the joint encoder; None without one, or where a worker has made none by it yet."""
        if self._joint is None:
            return None
        joint = joint_index(index, self._joint)
        state = joint.state()
        return self._held(joint, state) if state.space == self._joint.fingerprint and state.rows else None

    def _held(self, index: Index, state: State) -> Rows:
        """Return the rows of this state, which are read if others are held."""
        with self._lock:
            held = self._rows.get(index.folder)
        if held is None or held.state != state:
            held = Rows.of(index)
        with self._lock:
            self._rows[index.folder] = held
            self._rows.move_to_end(index.folder)
            if len(self._rows) > OPEN:
                self._rows.popitem(last=False)
        return held

    def _own(self, opened: Sequence[_Open], wanted: Wanted) -> Tensor | None:
        """Return the vector of the task that is named; None without one. UserError for an unknown task."""
        if wanted.task is None:
            return None
        key, task = wanted.task
        for one in opened:
            if one.project.key == key:
                places = _places(one.rows, [task])
                if places:
                    return one.rows.vectors_ND[places[task]].float()
        raise UserError(f"{key} has no task {task} that was read: see its id in Label Studio, or wait until it is read")

    def _ranked(
        self, one: _Open, wanted: Wanted, own_D: Tensor | None, text: str, need: int
    ) -> list[tuple[int, float]]:
        """Return the best rows of one project with their scores."""
        rows = one.rows
        allowed_N = self._allowed(one, wanted)
        projection = self._projections.get(rows.state.projection)
        # The inner product with both, each by its share; 1 for an item that is what is looked for.
        share = (0.0 if own_D is None and wanted.features is None else wanted.weight) if text else 1.0
        like_D = said_D = torch.zeros(rows.vectors_ND.shape[1])
        if own_D is not None:
            like_D = own_D
        elif wanted.features is not None and projection is not None:
            like_D = projection.vectors([wanted.features])[0].float()
        if text and projection is not None:
            said_D = projection.words(text).float()
        query_D = (share * like_D + (1 - share) * said_D).half()
        lengths = share * like_D.double().square().sum() + (1 - share) * said_D.double().square().sum()
        scale = max(float(lengths), 1e-9)
        if not text:
            found, scores = nearest(rows.vectors_ND, query_D, need, allowed_N)
            return [(row, score / scale) for row, score in zip(found, scores, strict=True)]
        found, _ = nearest(rows.vectors_ND, query_D, max(need, BY_WORDS), allowed_N)
        with one.index.reading() as connection:
            by_word = by_words(connection, text, BY_WORDS) | dict.fromkeys(self._tagged(one, text), 1.0)
        by_look: dict[int, float] = {}
        if self._joint is not None and one.seen is not None:
            by_look = shown_best(self._joint.texts([text])[0], one.seen, rows, allowed_N, BY_WORDS)
        named = torch.tensor(sorted({*found, *by_word, *by_look}), dtype=torch.int64)
        named = named[named < len(allowed_N)]
        row_Q = named[allowed_N[named]]
        # In parts, since a tag may be that of most items.
        vector_Q = torch.cat(
            [rows.vectors_ND[part].double() @ query_D.double() for part in torch.split(row_Q, TOGETHER)]
        )
        said, seen = (1 - share) * WORDS, (1 - share) * SEEN if by_look else 0.0
        total_Q = (1 - said) * (vector_Q / scale) + said * _scored(row_Q, by_word)
        total_Q = (1 - seen) * total_Q + seen * _scored(row_Q, by_look)
        # A stable sort keeps the lower row first.
        order = total_Q.argsort(descending=True, stable=True)[:need]
        return list(zip(row_Q[order].tolist(), total_Q[order].tolist(), strict=True))

    def _allowed(self, one: _Open, wanted: Wanted) -> Tensor:
        """Return which rows may be found: those that count, without the task itself, and as ``only`` says."""
        rows, only = one.rows, wanted.only
        allowed_N = rows.task_N >= 0
        if wanted.task is not None and wanted.task[0] == one.project.key:
            allowed_N &= rows.task_N != wanted.task[1]
        if only.industry:
            with one.index.reading() as connection:
                query = "SELECT row FROM items WHERE instr(industry, char(31) || ? || char(31))"
                within = [row for (row,) in connection.execute(query, (only.industry,))]
            are_within_N = torch.zeros_like(allowed_N)
            are_within_N[torch.tensor([row for row in within if row < len(allowed_N)], dtype=torch.int64)] = True
            allowed_N &= are_within_N
        if only.labelled is not None:
            known = torch.tensor(sorted(self._store.annotations.labelled(one.project.key)), dtype=torch.int64)
            allowed_N &= rows.of_tasks(known) == only.labelled
        if only.tags:
            allowed_N &= rows.of_tasks(
                torch.tensor(tagged(self._store, one.project, one.config, only.tags), dtype=torch.int64)
            )
        return allowed_N

    def _tagged(self, one: _Open, text: str) -> list[int]:
        """Return the rows of items with a tag of which the text is the name."""
        if text not in one.config.labels:
            return []
        tasks = torch.tensor(tagged(self._store, one.project, one.config, [text]), dtype=torch.int64)
        found: list[int] = one.rows.of_tasks(tasks).nonzero()[:, 0].tolist()
        return found

    def _told(self, shown: Sequence[tuple["_Result", Sequence[int]]]) -> Iterator[Found]:
        """Yield results with what is known of their tasks."""
        by_project: dict[str, dict[int, tuple[str, ...]]] = {}
        for (one, _, _), _ in shown:
            if one.project.key not in by_project:
                tasks = [int(other.rows.task_N[row]) for (other, row, _), _ in shown if other is one]
                by_project[one.project.key] = labels_of(self._store, one.project, one.config, tasks)
        for (one, row, score), folded in shown:
            task = int(one.rows.task_N[row])
            with one.index.reading() as connection:
                known = connection.execute("SELECT title, industry FROM items WHERE task_id = ?", (task,)).fetchone()
            title, industry = known or ("", "")
            tags = by_project[one.project.key].get(task, ())
            yield Found(one.project.key, task, score, title, levels(industry), tags, tuple(folded))


def _scored(row_Q: Tensor, score: Mapping[int, float]) -> Tensor:
    """Return the (Q,) float64 scores of these rows, which are in order; 0 where a row has none."""
    score_Q = torch.zeros(len(row_Q), dtype=torch.float64)
    known = torch.tensor(sorted(score), dtype=torch.int64)
    known = known[torch.isin(known, row_Q)]
    known_Q = torch.tensor([score[row] for row in known.tolist()], dtype=torch.float64)
    score_Q[torch.searchsorted(row_Q, known)] = known_Q
    return score_Q


def _places(rows: Rows, task_ids: Collection[int]) -> dict[int, int]:
    """Return the rows of those of these tasks that have one."""
    asked = torch.tensor([task for task in task_ids if 0 <= task < 2**63], dtype=torch.int64)
    places = rows.of_tasks(asked).nonzero()[:, 0].tolist()
    return dict(zip(rows.task_N[places].tolist(), places, strict=True))


def _candidates(vectors_ND: Tensor, seen_SD: Tensor, bought_S: Tensor, allowed_N: Tensor, count: int) -> Tensor:
    """Return the rows that may be recommended: near to the whole interest, or to one of the last seen items."""
    most = max(200, SPARE * count)
    found = nearest(vectors_ND, interest(seen_SD, bought_S), most, allowed_N)[0]
    for seen_D in seen_SD[-5:]:
        found += nearest(vectors_ND, seen_D, most // 4, allowed_N)[0]
    return torch.tensor(list(dict.fromkeys(found)), dtype=torch.int64)


def _folded(results: Sequence[_Result], fold: Fold) -> list[tuple[_Result, tuple[int, ...]]]:
    """Return the first result of each group, with the tasks of the others; groups lie within a project."""
    heads: dict[tuple[str, int], int] = {}
    behind: dict[int, list[int]] = {}
    if fold == "nothing" or not results:
        return [(result, ()) for result in results]
    if fold == "products":
        names = [(one.project.key, int(one.rows.family_N[row])) for one, row, _ in results]
    else:
        parts = picture_part(torch.stack([one.rows.vectors_ND[row] for one, row, _ in results]))
        firsts = grouped(parts, torch.stack([one.rows.hash_N[row] for one, row, _ in results]))
        names = [(result[0].project.key, first) for result, first in zip(results, firsts, strict=True)]
    for place, name in enumerate(names):
        head = heads.setdefault(name, place)
        behind.setdefault(head, [])
        if head != place:
            behind[head].append(int(results[place][0].rows.task_N[results[place][1]]))
    return [(results[head], tuple(tasks)) for head, tasks in behind.items()]
