"""Show a project's items to the sources of others, once each, and keep what they say.

No answer waits for a source: /predict and trainings use what is kept. A source that gives no answer counts as one that
says nothing, and the others go on.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from sources.interface import Item, Label, ReadBlock
from store.projects import Project
from store.source_opinions import Saying
from store.tasks import Task
from worker.corpus.gold import project_gold
from worker.lexicon import read_lexicon
from worker.said import said_of
from worker.sources import opened_sources, tell
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Failures in a row after which a source rests; what failed then is shown to it again.
MOST_FAILURES = 5
REST_S = 600.0
# Answers are written together after so many seconds, or when there are so many.
WRITE_S, WRITE_MOST = 2.0, 100
JPEG_QUALITY = 92
# Troubles that are over when the source answers again.
PASSING = (Kind.AWAY, Kind.BUDGET, Kind.RESTS)

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
        round_ = _Round(workplace, project, watch, sources)
        try:
            round_.go_through(progress)
        finally:
            round_.write()
    least = max((one.rests for one in round_.asked), default=0.0)
    opinions.finish_round(project.key, again=round_.left > 0, has_answered=round_.answered > 0, least=least)
    return f"{round_.answered} answers of {len(sources)} sources, {round_.left} to be asked again"


def labels_of(config: LabelConfig, lexicon: Lexicon) -> tuple[Label, ...]:
    """Return the project's labels, each described by its hint in the config, else by its other names and its kind."""
    tags = list(ElementTree.fromstring(config.xml).iter())
    told = meanings(lexicon, config.names)
    labels = []
    for name in config.labels:
        own = {name, *config.names.get(name, ())}
        hints = [tag.get("hint", "") for tag in tags if {tag.get("value"), tag.get("alias")} & own]
        others = sorted(own - {name})
        words = [f"also called {', '.join(others)}"] if others else []
        words += [f"a kind of {kind}"] if (kind := told[name].kind) else []
        labels.append(Label(name, next(filter(None, hints), "") or "; ".join(words)))
    return tuple(labels)


@dataclass
class _Asked:
    """A source in this round. ``failed`` are the sayings of its last failures in a row, which are kept if it recovers.

    ``rests`` is for how many seconds it is not asked at all; 0 while it is. ``is_well``: it has answered in this round.
    """

    source: Asked
    seen: set[str]
    failed: list[Saying] = field(default_factory=list)
    rests: float = 0.0
    is_well: bool = False


class _Round:
    """One pass over the items. ``answered`` counts answers, ``left`` the answers that a later round must ask for."""

    def __init__(self, workplace: Workplace, project: Project, watch: Ends, sources: Sequence[Asked]) -> None:
        self._workplace, self._project, self._watch = workplace, project.key, watch
        self._store = workplace.store
        self._key, self._config = ProjectKey.parse(project.key), workplace.config_of(project)
        lexicon = read_lexicon(workplace.settings.training.lexicon)
        self._labels = labels_of(self._config, lexicon)
        self._reader = RoleReader(with_names(lexicon, self._config.names))
        names = json.dumps(sorted(self._config.labels)).encode()
        self._labels_digest = hashlib.sha256(names).hexdigest()[:16]
        kept = self._store.source_opinions
        self.asked = [
            _Asked(one, kept.asked(project.key, one.name, one.version, self._labels_digest)) for one in sources
        ]
        tasks = {task.id: task for task in self._store.tasks.all(project.key)}
        gold = project_gold(self._store, project, self._config, tasks).by_task
        # Gold teaches how far a source can be trusted, so that its items come first if the budget is small.
        self._tasks = sorted(tasks.values(), key=lambda task: (task.id not in gold, task.id))
        self._pending: list[Saying] = []
        self._written_at = time.monotonic()
        self.answered = self.left = 0

    def go_through(self, progress: Progress) -> None:
        """Show each item to the sources that have not seen it."""
        for number, task in enumerate(self._tasks):
            reference = reference_of(self._config, task.payload(), self._key)
            key = item_key(self._key.connection, reference)
            due = [one for one in self.asked if key not in one.seen]
            # What was not read yet is asked about after its encoding, which makes a round due.
            if not due or not self._workplace.cache.has(key):
                continue
            self._watch.check()
            resting = [one for one in due if one.rests]
            self.left += len(resting)
            due = [one for one in due if not one.rests]
            if due and (features := self._workplace.cache.get(key)) is not None:
                self._show(task, key, reference, features, due)
            progress({"stage": "asking sources", "done": number + 1, "total": len(self._tasks)})
        for one in self.asked:
            self._keep(one.failed)

    def write(self) -> None:
        """Keep the answers that are not written yet."""
        pending, self._pending = self._pending, []
        self._store.source_opinions.keep(self._project, pending)
        self._written_at = time.monotonic()

    def _show(
        self, task: Task, key: str, reference: ItemReference, features: ItemFeatures, due: Sequence[_Asked]
    ) -> None:
        with TemporaryDirectory(prefix="tagloom-source-") as folder:
            item = Item(
                features.title,
                features.industry,
                features.texts,
                tuple(
                    ReadBlock(one.text, one.box.left, one.box.top, one.box.right, one.box.bottom, one.score)
                    for one in features.blocks
                ),
                features.size,
                self._labels,
                lambda: self._fetched(reference, Path(folder)),
            )
            has_boxes = False
            for one in due:
                has_boxes |= self._ask(one, key, item)
        if has_boxes:
            # Candidates with these boxes are described now, so that no training or answer waits for them.
            self.write()
            said = said_of(self._store.source_opinions, self._project, [key])
            try:
                RECENT.of(replace(features, said=said.get(key, SILENCE)), self._reader)
            # As in an encoding: an error in one picture must not keep the others from being asked about.
            except Exception as error:
                LOG.error("a picture cannot be described: %r", error)

    def _ask(self, one: _Asked, key: str, item: Item) -> bool:
        """Ask one source; keep what it says, or tell what is wrong. Return whether it proposed boxes."""
        source = one.source
        one.seen.add(key)
        saying = Saying(key, source.name, source.version, self._labels_digest, {})
        try:
            said = source.ask(item)
        except SourceTrouble as trouble:
            tell(self._store.sources, source.name, trouble.kind, trouble.text)
            if trouble.later is None:
                one.failed.append(saying)
                if len(one.failed) >= MOST_FAILURES:
                    self._let_rest(one)
            else:
                self.left += 1
                one.rests = trouble.later
            return False
        self._keep([*one.failed, replace(saying, said=said.as_json())])
        one.failed = []
        self.answered += 1
        if not one.is_well:
            one.is_well = True
            for kind in PASSING:
                self._store.sources.is_well(source.name, str(kind))
        for kind, text in said.dropped.items():
            tell(self._store.sources, source.name, kind, text)
        return bool(said.boxes)

    def _let_rest(self, one: _Asked) -> None:
        text = f"{MOST_FAILURES} failures in a row: it is asked again in {REST_S / 60:.0f} minutes"
        tell(self._store.sources, one.source.name, Kind.RESTS, text)
        self.left += len(one.failed)
        one.failed, one.rests = [], REST_S

    def _keep(self, sayings: Sequence[Saying]) -> None:
        self._pending += sayings
        if len(self._pending) >= WRITE_MOST or time.monotonic() > self._written_at + WRITE_S:
            self.write()

    def _fetched(self, reference: ItemReference, folder: Path) -> Path | None:
        """Write the item's picture into the folder; None for a task without one. Raises SourceTrouble."""
        if not reference.image:
            return None
        try:
            picture = self._workplace.sites.fetcher(self._key.connection).fetch(reference)
        except ImageUnavailableError as error:
            raise SourceTrouble(Kind.PICTURE, str(error), 0.0) from error
        file = folder / "picture.jpg"
        picture.image.save(file, "JPEG", quality=JPEG_QUALITY)
        return file
