"""Keep what the served version says of every task whose picture was read, for pages and for comparisons.

The work continues where an interrupted job stopped: a task is asked about if the kept answer is missing or was given to
other features. Nothing is written into Label Studio.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey, file_name
from labelstudio.tasks import item_key, reference_of
from store.answers import Answer, ShownBox
from store.gallery import LabelAnswer
from store.leases import Lease
from store.projects import Project
from store.tasks import Task
from worker.corpus.gold import note_gold
from worker.predictions.answering import Answering, Predicted
from worker.predictions.look_alikes import Groups
from worker.predictions.preannotation import Progress
from worker.watch import Ends
from worker.workplace import Workplace

# Tasks that are compared with the kept answers at a time, and tasks whose features are in memory at a time.
PAGE, LOADED = 512, 64
# Boxes whose edges lie less than this share of the picture apart look the same to a person.
VISIBLE = 0.02


def keep(workplace: Workplace, project: Project, lease: Lease, watch: Ends, progress: Progress) -> str:
    """Keep the served version's answers; return one line about the result.

    Raises ValueError for a labelling config or a checkpoint that cannot be used, Interrupted when the job must end, and
    LeaseLost when another job has taken the lease.
    """
    keeping = _Keeping(workplace, project, lease)
    tasks, answers = workplace.store.tasks, workplace.store.answers
    # Where an interrupted job ended. Else each turn would look at all tasks again.
    round_ = answers.round(project.key)
    after = round_.upto
    total, done = tasks.count(project.key), tasks.count(project.key, upto=after)
    try:
        while page := tasks.page(project.key, after, PAGE):
            last = page[-1].id
            gone = answers.task_ids(project.key, after, last) - {task.id for task in page}
            answers.drop(project.key, gone, lease)
            due = keeping.due(page)
            for start in range(0, len(due), LOADED):
                keeping.ask(due[start : start + LOADED])
                # After the work, so that every run makes progress.
                watch.check()
                progress({"stage": "keeping answers", "done": done + start, "total": total})
            answers.reach(project.key, round_.number, last)
            done, after = done + len(page), last
        note_gold(workplace.store, project, keeping.config, lease)
        workplace.store.gallery.count_rows()
        answers.finish(project.key, round_.number, keeping.generation)
    finally:
        keeping.groups.save()
    return f"{keeping.kept} answers of {keeping.version} kept"


class _Keeping:
    """Keeps answers of the version that served when the object was made. ``kept`` counts them."""

    def __init__(self, workplace: Workplace, project: Project, lease: Lease) -> None:
        self._answering = Answering(workplace, project)
        self._answers, self._key, self._lease = workplace.store.answers, ProjectKey.parse(project.key), lease
        self.version, self.generation, self.kept = self._answering.version, self._answering.generation, 0
        self._before = self._answers.begin(project.key, self.version, project.label_config, lease)
        self._gallery = workplace.store.gallery
        self._gallery.keep_versions(project.key, [self.version, self._before], lease)
        file = workplace.settings.paths.look_alikes / f"{file_name(project.key)}.safetensors"
        self.groups = Groups(file, workplace.extractor.space)

    @property
    def config(self) -> LabelConfig:
        return self._answering.config

    def due(self, page: Sequence[Task]) -> list[tuple[Task, str]]:
        """Return the tasks that have features and no answer to them, each with the key of its features."""
        key, config = self._key, self._answering.config
        known = self._answers.keys(str(key), self.version, [task.id for task in page])
        asked = [(task, item_key(key.connection, reference_of(config, task.payload(), key))) for task in page]
        due = [(task, features) for task, features in asked if known.get(task.id) != features]
        are_read = {task["id"] for task in self._answering.read([task.payload() for task, _ in due])}
        return [(task, features) for task, features in due if task.id in are_read]

    def ask(self, due: Sequence[tuple[Task, str]]) -> None:
        """Ask about these tasks and keep the answers; a task that the model fails on gets none."""
        found = self._answering.predictions([task.payload() for task, _ in due])
        keys = {task.id: features for task, features in due}
        sound = {number: entry for number, entry in found.items() if entry is not None}
        if not sound:
            return
        self._keep_labels(sound)
        alike = self.groups.join(list(sound), [entry.features for entry in sound.values()])
        before = self._answers.of_tasks(str(self._key), self._before, sound) if self._before else {}
        answers = []
        for (number, entry), look_alike in zip(sound.items(), alike, strict=True):
            answer = Answer(
                task_id=number,
                version=self.version,
                item_key=keys[number],
                score=entry.prediction.score,
                labels=entry.prediction.labels,
                probabilities=dict(entry.prediction.probabilities),
                boxes=tuple(_shown(entry)),
                look_alike=look_alike,
                changed=False,
                size=entry.features.size,
            )
            answers.append(replace(answer, changed=number in before and _differ(before[number], answer)))
        self._answers.put(str(self._key), answers, self._lease)
        self.kept += len(answers)

    def _keep_labels(self, sound: Mapping[int, Predicted]) -> None:
        """Keep which labels are given, and what speaks for them; before the answers, which are not asked for again."""
        speaking = self._answering.speaking([entry.features for entry in sound.values()])
        self._gallery.put(
            str(self._key),
            self.version,
            {
                number: [LabelAnswer(label, label in entry.prediction.labels, source) for label, source in by.items()]
                for (number, entry), by in zip(sound.items(), speaking, strict=True)
            },
            self._lease,
        )


def _shown(entry: Predicted) -> list[ShownBox]:
    boxes = entry.prediction.boxes
    return [(one.label, one.box.left, one.box.top, one.box.right, one.box.bottom, one.score) for one in boxes]


def _differ(old: Answer, new: Answer) -> bool:
    """Return whether a person would see other labels or other boxes. Answers to other features are not compared."""
    if old.item_key != new.item_key:
        return False
    if set(old.labels) != set(new.labels) or len(old.boxes) != len(new.boxes):
        return True
    pairs = zip(sorted(old.boxes), sorted(new.boxes), strict=True)
    return any(
        one[0] != other[0] or max(abs(a - b) for a, b in zip(one[1:5], other[1:5], strict=True)) > VISIBLE
        for one, other in pairs
    )
