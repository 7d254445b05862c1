"""Ask sources about items, and keep what they say. What goes wrong with a source is told, and harms nothing else."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL.Image import Image

from model.features.item import ItemFeatures
from sources.answers import Asked, Kind, SourceTrouble
from sources.interface import Item, Label, ReadBlock
from store.source_opinions import Saying
from store.store import Store
from worker.asking.opening import tell

# Failures in a row after which a source rests; what failed then is shown to it again.
MOST_FAILURES = 5
REST_S = 600.0
# Answers are written together after so many seconds, or when there are so many.
WRITE_S, WRITE_MOST = 2.0, 100
JPEG_QUALITY = 92
# Troubles that are over when the source answers again.
PASSING = (Kind.AWAY, Kind.BUDGET, Kind.RESTS)


def item_of(features: ItemFeatures, labels: tuple[Label, ...], fetch: Callable[[], Path | None]) -> Item:
    """Return an item as a source sees it; ``fetch`` is called when a source asks for the picture."""
    blocks = tuple(
        ReadBlock(block.text, block.box.left, block.box.top, block.box.right, block.box.bottom, block.score)
        for block in features.blocks
    )
    return Item(features.title, features.industry, features.texts, blocks, features.size, labels, fetch)


def written(picture: Image, folder: Path) -> Path:
    """Write a picture into a folder as a source gets it, and return the file."""
    file = folder / "picture.jpg"
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return file


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


class Asking:
    """Asks the sources of one round about a project's items.

    ``answered`` counts answers, ``left`` those that a later round must ask for, and ``rests`` is the longest time in
    seconds for which a source is not to be asked.
    """

    def __init__(self, store: Store, project_key: str, labels: Iterable[str], sources: Sequence[Asked]) -> None:
        self._store, self._project = store, project_key
        # With other labels an item is asked about again.
        self._labels = hashlib.sha256(json.dumps(sorted(labels)).encode()).hexdigest()[:16]
        asked = store.source_opinions.asked
        self._asked = [_Asked(one, asked(project_key, one.name, one.version, self._labels)) for one in sources]
        self._pending: list[Saying] = []
        self._written_at = time.monotonic()
        self.answered = self.left = 0

    @property
    def rests(self) -> float:
        return max((one.rests for one in self._asked), default=0.0)

    def is_due(self, key: str) -> bool:
        """Return whether a source that can be asked now has not seen the item; count those that rest as left."""
        due = [one for one in self._asked if key not in one.seen]
        self.left += sum(one.rests > 0 for one in due)
        return any(not one.rests for one in due)

    def ask(self, key: str, item: Item) -> bool:
        """Ask each source that has not seen the item; return whether any proposed boxes."""
        due = [one for one in self._asked if key not in one.seen and not one.rests]
        # All are asked, also after one that proposed boxes.
        return sum(self._ask(one, key, item) for one in due) > 0

    def finish(self) -> None:
        """Keep as abstentions what failed last: the round is over, and the sources did not rest."""
        for one in self._asked:
            self._keep(one.failed)
            one.failed = []

    def write(self) -> None:
        """Write the answers that are not written yet."""
        pending, self._pending = self._pending, []
        self._store.source_opinions.keep(self._project, pending)
        self._written_at = time.monotonic()

    def _ask(self, one: _Asked, key: str, item: Item) -> bool:
        """Ask one source; keep what it says, or tell what is wrong. Return whether it proposed boxes."""
        source = one.source
        one.seen.add(key)
        saying = Saying(key, source.name, source.version, self._labels, {})
        try:
            said = source.ask(item)
        except SourceTrouble as trouble:
            tell(self._store.sources, source.name, trouble.kind, trouble.text)
            if trouble.later is not None:
                self.left += 1
                one.rests = trouble.later
            else:
                one.failed.append(saying)
                if len(one.failed) >= MOST_FAILURES:
                    self._let_rest(one)
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
