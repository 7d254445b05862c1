"""Show a project's items to the sources of others, once each, and keep what they say.

No answer waits for a source: /predict and trainings use what is kept. A source that gives no answer counts as one that
says nothing, and the others go on.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

from labelstudio.config import LabelConfig
from labelstudio.decoding import ImageUnavailableError
from labelstudio.project import ProjectKey
from labelstudio.tasks import ItemReference, item_key, reference_of
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from model.features.said import SILENCE
from model.lexicon.lexicon import Lexicon
from model.lexicon.names import meanings, with_names
from sources.answers import Asked, Kind, SourceTrouble
from sources.interface import Label
from store.projects import Project
from worker.asking.asking import Asking, item_of, written
from worker.asking.opening import opened_sources
from worker.corpus.gold import project_gold
from worker.lexicon import read_lexicon
from worker.said import said_of
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

Progress = Callable[[Mapping[str, Any]], None]


def ask(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Ask each source about each item that it has not seen, those with gold first; return one line about the result.

    Raises Interrupted when gold waits or the job must end; the next job goes on with the items that are left.
    """
    store, opinions = workplace.store, workplace.store.source_opinions
    with opened_sources(workplace.settings, store.sources, watch.check) as sources:
        if not sources:
            opinions.finish_round(project.key, again=False)
            return "no sources"
        asking = _Round(workplace, project, watch, sources).go_through(progress)
    again, has_answered = asking.left > 0, asking.answered > 0
    opinions.finish_round(project.key, again=again, has_answered=has_answered, least=asking.rests)
    if has_answered and (unheard := _unheard(workplace, project.key)):
        LOG.info("%s: a training is due, which hears %s", project.key, ", ".join(unheard))
        store.projects.request_training(project.key)
    return f"{asking.answered} answers of {len(sources)} sources, {asking.left} to be asked again"


def labels_of(labels: Mapping[str, Sequence[str]], lexicon: Lexicon, hints: Mapping[str, str]) -> tuple[Label, ...]:
    """Return labels, each described by its hint, else by its other names and its kind in the lexicon.

    ``labels`` holds all names of each label. ``hints`` are by any of these names.
    """
    told = meanings(lexicon, labels)
    described = []
    for label, names in labels.items():
        others = sorted({*names} - {label})
        words = [f"also called {', '.join(others)}"] if others else []
        words += [f"a kind of {kind}"] if (kind := told[label].kind) else []
        hint = next((hints[name] for name in (label, *names) if hints.get(name)), "")
        described.append(Label(label, hint or "; ".join(words)))
    return tuple(described)


def hints_of(config: LabelConfig) -> dict[str, str]:
    """Return the hints that a labelling config gives to its labels, by each of their names."""
    found: dict[str, str] = {}
    for tag in ElementTree.fromstring(config.xml).iter():
        if hint := tag.get("hint", "").strip():
            found |= {name: hint for name in (tag.get("value"), tag.get("alias")) if name}
    return found


def _unheard(workplace: Workplace, project_key: str) -> list[str]:
    """Return the sources that have said something and that the last training has not heard; none before the first."""
    newest = next((one for one in workplace.store.versions.list(project_key) if one.gold_count), None)
    if newest is None:
        return []
    there = workplace.store.sources.versions()
    said = workplace.store.source_opinions.counts(project_key)
    return [name for name in there if said.get(name) and name not in newest.metrics.get("source_accuracy", {})]


class _Round:
    """One pass over a project's items."""

    def __init__(self, workplace: Workplace, project: Project, watch: Ends, sources: Sequence[Asked]) -> None:
        self._workplace, self._project, self._watch = workplace, project, watch
        self._key, self._config = ProjectKey.parse(project.key), workplace.config_of(project)
        lexicon = read_lexicon(workplace.settings.training.lexicon)
        names = {label: self._config.names.get(label, ()) for label in self._config.labels}
        self._labels = labels_of(names, lexicon, hints_of(self._config))
        self._reader = RoleReader(with_names(lexicon, self._config.names))
        self._asking = Asking(workplace.store, project.key, self._config.labels, sources)

    def go_through(self, progress: Progress) -> Asking:
        """Show each item to the sources that have not seen it."""
        tasks = {task.id: task for task in self._workplace.store.tasks.all(self._project.key)}
        gold = project_gold(self._workplace.store, self._project, self._config, tasks).by_task
        try:
            # Gold teaches how far a source can be trusted, so that its items come first if the budget is small.
            for done, number in enumerate(sorted(tasks, key=lambda number: (number not in gold, number)), start=1):
                reference = reference_of(self._config, tasks[number].payload(), self._key)
                key = item_key(self._key.connection, reference)
                # What was not read yet is asked about after its encoding, which makes a round due.
                if not self._workplace.cache.has(key) or not self._asking.is_due(key):
                    continue
                self._watch.check()
                if (features := self._workplace.cache.get(key)) is not None:
                    self._show(key, reference, features)
                progress({"stage": "asking sources", "done": done, "total": len(tasks)})
            self._asking.finish()
        finally:
            self._asking.write()
        return self._asking

    def _show(self, key: str, reference: ItemReference, features: ItemFeatures) -> None:
        with TemporaryDirectory(prefix="tagloom-source-") as folder:
            item = item_of(features, self._labels, lambda: self._fetched(reference, Path(folder)))
            has_boxes = self._asking.ask(key, item)
        if not has_boxes:
            return
        # Candidates with these boxes are described now, so that no training or answer waits for them.
        self._asking.write()
        said = said_of(self._workplace.store.source_opinions, self._project.key, [key])
        try:
            RECENT.of(replace(features, said=said.get(key, SILENCE)), self._reader)
        # As in an encoding: an error in one picture must not keep the others from being asked about.
        except Exception as error:
            LOG.error("a picture cannot be described: %r", error)

    def _fetched(self, reference: ItemReference, folder: Path) -> Path | None:
        """Write the item's picture into the folder; None for a task without one. Raises SourceTrouble."""
        if not reference.image:
            return None
        try:
            picture = self._workplace.sites.fetcher(self._key.connection).fetch(reference)
        except ImageUnavailableError as error:
            raise SourceTrouble(Kind.PICTURE, str(error), None if error.permanent else 0.0) from error
        return written(picture.image, folder)
