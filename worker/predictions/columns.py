"""Fill the columns of Label Studio's Data Manager by which people filter and sort: `labelstudio.columns` lists them.

What Label Studio holds is compared first, so that only what differs is written, and a run that was ended continues
where it stopped. One request writes one value into many tasks (docs/decisions/0063-columns.md).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from labelstudio.api import LabelStudioClient
from labelstudio.columns import (
    CHANGED,
    CONFIDENCE,
    DOUBTFUL,
    LOOK_ALIKES,
    ORDER,
    Value,
    differing,
    is_ours,
    without_columns,
)
from labelstudio.project import ProjectKey
from store.answers import Answer
from store.projects import Project
from worker.corpus.kin import Kin, kin_of
from worker.predictions.choice import Choice
from worker.predictions.preannotation import LOADED, PAUSE, Progress
from worker.watch import Ends
from worker.workplace import Workplace

# Tasks of one request that writes: an annotator waits .1 s for it at most.
AT_ONCE = 200
# Tasks that are compared before the first of them is written.
WINDOW = 2000
# Tasks among which the next ones are chosen, and how many of them get a number.
CANDIDATES, ORDERED = 1000, 500
# Tasks that share a number. Their own order is Label Studio's.
SHARED = 10


@dataclass
class Written:
    """The counts of a run. ``values`` in cells of the columns, ``foreign`` cells that people filled themselves."""

    tasks: int = 0
    values: int = 0
    requests: int = 0
    foreign: int = 0

    def __str__(self) -> str:
        kept = f", {self.foreign} left as people filled them" if self.foreign else ""
        return f"{self.values} values written into the columns of {self.tasks} tasks, by {self.requests} requests{kept}"


def write(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> Written:
    """Bring the columns of all tasks up to the kept answers of the served version, and to the doubts that stand.

    Without answers of that version nothing is written. Raises LabelStudioError when Label Studio does not answer,
    Interrupted when the job must end, and ValueError if no version serves or the labelling config cannot be used.
    """
    run = _Run(workplace.client_of(project), project, watch, progress)
    version = workplace.serving(project).version
    answers = {answer.task_id: answer for answer in workplace.store.answers.of_version(project.key, version)}
    if answers:
        doubts = workplace.store.doubts.of(project.key)
        wanted = values_of(answers, {kept.doubt.task_id for kept in doubts if not kept.dismissed_at})
        for place, number in enumerate(_order(workplace, project, answers)):
            wanted[number][ORDER] = f"{place // SHARED + 1:03}"
        run.write(wanted)
    return run.done


def remove(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> Written:
    """Take the columns out of the data of all tasks; cells that people filled themselves stay. Raises as `write`."""
    run = _Run(workplace.client_of(project), project, watch, progress)
    run.remove()
    return run.done


def values_of(answers: Mapping[int, Answer], doubtful: Collection[int]) -> dict[int, dict[str, Value]]:
    """Return what the columns say of tasks, by id, without their order."""
    alike = defaultdict(list)
    for answer in answers.values():
        alike[answer.look_alike].append(answer.task_id)
    group_of = {number: str(min(group)) for group in alike.values() if len(group) > 1 for number in group}
    found: dict[int, dict[str, Value]] = {}
    for number, answer in answers.items():
        found[number] = {CONFIDENCE: round(answer.score, 2)}
        if answer.changed:
            found[number][CHANGED] = "yes"
        if number in doubtful:
            found[number][DOUBTFUL] = "yes"
        if number in group_of:
            found[number][LOOK_ALIKES] = group_of[number]
    return found


def candidates(answers: Mapping[int, Answer], labelled: Collection[int], kin: Kin, count: int) -> list[int]:
    """Return the tasks without annotation among which to choose: the least sure ones, of kin one before any second."""
    views: dict[str, int] = dict.fromkeys(kin.labelled, 1)
    turns: list[tuple[int, int, int]] = []
    for answer in sorted(answers.values(), key=lambda answer: (answer.score, answer.task_id)):
        if answer.task_id not in labelled:
            name = kin.of(answer.task_id)
            turns.append((views.get(name, 0), len(turns), answer.task_id))
            views[name] = views.get(name, 0) + 1
    return [number for _, _, number in sorted(turns)[:count]]


def _order(workplace: Workplace, project: Project, answers: Mapping[int, Answer]) -> list[int]:
    """Return the tasks that are best labelled next, in order."""
    settings, store = workplace.settings, workplace.store
    kin = kin_of(store, project, workplace.config_of(project), settings.tasks.family_key)
    chosen = candidates(answers, store.annotations.task_ids(project.key), kin, CANDIDATES)
    choice = Choice(kin, settings.training.seed)
    for start in range(0, len(chosen), LOADED):
        part = chosen[start : start + LOADED]
        read = {number: workplace.cache.get(answers[number].item_key) for number in part}
        usable = {number: features for number, features in read.items() if features is not None}
        choice.note(list(usable), list(usable.values()), [answers[number].probabilities for number in usable])
    return choice.order(ORDERED)


class _Run:
    """One pass over the tasks of a project in Label Studio."""

    def __init__(self, client: LabelStudioClient, project: Project, watch: Ends, progress: Progress) -> None:
        self._client, self._watch, self._progress = client, watch, progress
        self._number = ProjectKey.parse(project.key).id
        self._total = 0
        self.done = Written()

    def write(self, wanted: Mapping[int, Mapping[str, Value]]) -> None:
        tasks = self._listed()
        while window := list(islice(tasks, WINDOW)):
            due = defaultdict(list)
            for task in window:
                mine = wanted.get(task["id"], {})
                for name, value in differing(task["data"], mine).items():
                    due[name, value].append(task["id"])
                self.done.foreign += sum(not is_ours(name, task["data"]) for name in mine)
            # The order first, since annotators follow it.
            for (name, value), ids in sorted(due.items(), key=lambda entry: (entry[0][0] != ORDER, str(entry[0]))):
                for start in range(0, len(ids), AT_ONCE):
                    self._write(ids[start : start + AT_ONCE], name, value)
            self._report(len(window))
        self._settle()

    def remove(self) -> None:
        for task in self._listed():
            kept = without_columns(task["data"])
            if kept != task["data"]:
                self._timed(partial(self._client.replace_data, task["id"], kept))
                self.done.values += len(task["data"]) - len(kept)
            self._report(1)
        self._settle()

    def _write(self, ids: Sequence[int], name: str, value: Value) -> None:
        self._timed(partial(self._client.set_data, self._number, ids, name, value))
        self.done.values += len(ids)

    def _settle(self) -> None:
        # Label Studio counts keys only where single tasks change; by wrong counts it hides columns that have values.
        if self.done.values:
            self._client.count_data(self._number)

    def _timed(self, request: Callable[[], None]) -> None:
        """Send a request that writes, and leave Label Studio alone for half the time that it took."""
        began = time.monotonic()
        request()
        took = time.monotonic() - began
        self.done.requests += 1
        self._watch.check()
        time.sleep(took * PAUSE)

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield all tasks with their data, in the order of ids."""
        after, left = 0, 1
        while left:
            began = time.monotonic()
            tasks, total = self._client.tasks_data(self._number, after)
            time.sleep((time.monotonic() - began) * PAUSE)
            self._total = self._total or total
            yield from tasks
            after, left = tasks[-1]["id"] if tasks else after, total - len(tasks) if tasks else 0

    def _report(self, tasks: int) -> None:
        self.done.tasks += tasks
        done = self.done.tasks
        self._progress({"stage": "writing columns", "done": done, "total": max(done, self._total)})
