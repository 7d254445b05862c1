"""Compute missing features and candidate boxes, in small steps that give way to trainings."""

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.tasks import reference_of
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from store.projects import Project
from store.store import Store
from store.tasks import Task
from worker.corpus.gold import project_gold
from worker.labels import project_lexicon
from worker.pictures import MOST, note_unread, place_note
from worker.predictions.fast import replace_due
from worker.predictions.repair import repair
from worker.search.filling import fill
from worker.search.looking import PAGE, looks
from worker.search.seeing import see
from worker.watch import Ends, GivesWay, Interrupted
from worker.workplace import PART, Workplace

LOG = logging.getLogger(__name__)

# Seconds to wait for the pictures of a part; late pictures are tried again after all others.
PART_S = 5.0
# Seconds between two checks for waiting gold; a step ends at most one part later.
STEP_S = 3.0

Progress = Callable[[Mapping[str, Any]], None]


def encode(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Encode tasks without features until each was tried; return one line about the result.

    Raises Interrupted when gold waits for a training, or when it is another job's turn. The next job continues after
    the last task that was tried, so that pictures that never arrive do not delay the tasks after them. Before the first
    step and between steps, fast predictions are replaced by full ones, and predictions that were made without a
    picture that is read by now are rewritten. At the end the project's search index is filled, and pictures are
    encoded by the joint encoder if there is one.
    """
    workplace.store.pictures.begin_round(project.key)
    run, cursor = _Run(workplace, project, watch, progress), project.encode_cursor
    tried = run.go_through(cursor, PART_S, is_second=False) if cursor >= 0 else 0
    # The second round reads late pictures, and tasks that changed after the first round had passed them. Where nothing
    # was left to read, there are none.
    if tried or cursor:
        run.go_through(max(-cursor, 0), PART_S + workplace.settings.pictures.image_seconds, is_second=True)
    workplace.store.projects.reach_in_encoding(project.key, 0)
    run.finish()

    # If pictures of gold that the last training left out, or used without them, are read by now, a training is due.
    # The store is asked, because an earlier job may have read the pictures and been killed.
    now = workplace.store.projects.get(project.key)
    if now and not now.has_new_gold and now.unread_gold:
        unread = _missing(workplace, project, run.config)
        if len(project_gold(workplace.store, project, run.config, set(unread), page=unread).by_task) < now.unread_gold:
            workplace.store.projects.request_training(project.key)
    repaired = f"{run.repaired} predictions without a picture rewritten, " if run.repaired else ""
    told = f"{run.read} tasks encoded, {len(run.failed)} without a picture"
    try:
        found = fill(workplace, project, watch)
        findable = f", {found.total} items can be found" if found.added or found.removed else ""
        if seen := see(workplace, project, run.gold_first):
            findable += f", {seen} by what is seen"
    # What was read is kept all the same, and the next job fills the index.
    except (OSError, sqlite3.Error, ValueError) as error:
        LOG.error("%s: items that were read cannot be found yet: %s", project.key, error)
        findable = ""
    return f"{told}, {repaired}{run.replaced} fast predictions replaced{findable}"


class _Run:
    """One encoding job. ``failed`` holds tasks whose pictures could not be read; the job does not try them again."""

    def __init__(self, workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> None:
        self._workplace, self._project, self._watch, self._progress = workplace, project, watch, progress
        self.gold_first = GivesWay(watch, workplace.store)
        self.config, self._key = workplace.config_of(project), ProjectKey.parse(project.key)
        self.read, self.failed = 0, set[int]()
        self.replaced = replace_due(workplace, project, self.gold_first)
        # An earlier job, or the backend, may have read pictures that were unread before.
        self.repaired = repair(workplace, project, self.gold_first)

    def go_through(self, after: int, seconds: float, *, is_second: bool) -> int:
        """Encode tasks with ids above ``after`` that have no features, and return how many.

        Waits ``seconds`` for each part's pictures.
        """
        projects = self._workplace.store.projects
        missing = _missing(self._workplace, self._project, self.config, after)
        left = [number for number in missing if number not in self.failed]
        total = len(left)
        while left:
            self._watch.check()
            if projects.waiting_for_training():
                raise Interrupted(f"gave way to gold with {len(left)} of {total} tasks left")
            done = self._step(left, seconds, is_second=is_second)
            last = left[done - 1]
            projects.reach_in_encoding(self._project.key, -last if is_second else last)
            tried, left = left[:done], left[done:]
            self.repaired += repair(self._workplace, self._project, self.gold_first, tried)
            self.replaced += replace_due(self._workplace, self._project, self.gold_first)
            stage = "reading pictures that were late" if is_second else "reading pictures"
            self._progress({"stage": stage, "done": total - len(left), "total": total, "failed": len(self.failed)})
        return total

    def _step(self, ids: Sequence[int], seconds: float, *, is_second: bool) -> int:
        """Encode tasks for STEP_S or a little longer; return how many were tried."""
        end, done = time.monotonic() + STEP_S, 0
        reader = RoleReader(project_lexicon(self._workplace.settings, self._project.key, self.config))
        while done < len(ids) and (not done or time.monotonic() < end):
            some = ids[done : done + PART]
            part = list(self._workplace.store.tasks.some(self._project.key, some).values())
            deadline = time.monotonic() + seconds
            answers = self._workplace.encoder.features(
                self._key, self.config, [task.payload() for task in part], deadline
            )
            unread: dict[int, str] = {}
            for task, answer in zip(part, answers, strict=True):
                if not isinstance(answer, Failure):
                    self.read += 1
                    try:
                        # Candidate boxes are computed now, so that no training or answer waits for them.
                        RECENT.of(answer, reader)
                    # An error in one picture must not keep the others from being read.
                    except Exception as error:
                        LOG.error("a picture cannot be described: %r", error)
                elif is_second or not answer.late:
                    self.failed.add(task.id)
                    unread[task.id] = answer.reason
            note_unread(self._workplace.store, self._project.key, unread)
            done += len(some)
        return done

    def finish(self) -> None:
        """Record where pictures' addresses stand, and make a further round due if pictures are still unread."""
        store, key = self._workplace.store, self._project.key
        now = store.projects.get(key)
        notes = self._notes(store.tasks.some(key, look.new).values() for look in looks(self._workplace, self._project))
        # Most projects have none. Where there are some, all tasks are read, as those of before may be gone.
        if notes or (now and now.address_notes):
            notes = self._notes(_pages(store, key))
        notes = Counter(dict(notes.most_common(MOST)))
        for note in notes.keys() - (now.address_notes if now else {}):
            LOG.warning("%s: in %d tasks %s", key, notes[note], note)
        store.pictures.finish_round(key, notes, has_read=self.read > 0)

    def _notes(self, pages: Iterable[Iterable[Task]]) -> Counter[str]:
        """Return each note about the place of a picture's address with the number of its tasks."""
        references = (reference_of(self.config, task.payload(), self._key) for page in pages for task in page)
        return Counter(note for reference in references if (note := place_note(self.config, reference)))


def _missing(workplace: Workplace, project: Project, config: LabelConfig, after: int = -1) -> list[int]:
    """Return the tasks with ids above ``after`` that have no features yet, in the order of ids.

    Tasks are read that are new or changed since the project's index saw them. Of the others it knows the files.
    """
    key, found = ProjectKey.parse(project.key), list[int]()
    for look in looks(workplace, project, after):
        tasks = workplace.store.tasks.some(project.key, look.new)
        unread = workplace.encoder.unread(key, config, [task.payload() for task in tasks.values()])
        found += [number for number, is_unread in zip(tasks, unread, strict=True) if is_unread]
        known = look.held.keys() - set(look.new)
        found += [number for number in known if not workplace.cache.has(look.held[number])]
    return sorted(found)


def _pages(store: Store, project_key: str) -> Iterator[list[Task]]:
    """Yield all tasks of a project, page by page."""
    after = -1
    while page := store.tasks.page(project_key, after, PAGE):
        yield page
        after = page[-1].id
