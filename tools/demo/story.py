"""The demo, readable from top to bottom: gold goes in, better pre-annotations come out.

A simulated Label Studio imports tasks and asks for predictions before any label (the cold start), then submits gold in
batches; after each, once the worker has trained and the backend has swapped, the test tasks are predicted anew and
measured against labels that were never sent. A second client asks for predictions all the time.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from testing.label_studio.payloads import Json, choices_region, controls_of, rectangle_region
from testing.label_studio.simulator import BackendFailed, SimulatedLabelStudio, Upload
from tools.demo.data import Cast, Subject
from tools.demo.scoring import majority, score_served
from tools.demo.table import Row, Table
from tools.demo.traffic import FAST, Tally, Traffic, ask
from tools.demo.verdict import Verdict, judge
from tools.demo.watch import Progress, Watch
from tools.project import task_data

BATCHES = (10, 40, 80, 120)
PAGE = 16  # tasks that one /predict carries: a selection in Label Studio's task list
RETRIES = 3


@dataclass(frozen=True)
class Pace:
    """``batches``: gold counts after which to measure; ``patience``: seconds to wait for a sign of training.

    ``ready``: seconds until a backend that answers /health must name a version. ``settle``: without a look inside, a
    version that serves for so many seconds is taken for its training's last.
    """

    batches: tuple[int, ...] = BATCHES
    patience: float = 60.0
    ready: float = 120.0
    settle: float = 8.0
    poll: float = 0.25


@dataclass
class Outcome:
    """Everything that the report shows.

    ``lost_webhooks`` of all ``webhooks`` were not taken within Label Studio's second. That costs time, not gold: the
    worker compares with Label Studio; so it is told and is no failure.
    """

    cast: Cast
    rows: list[Row] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    last_results: list[Json] = field(default_factory=list)
    webhooks: int = 0
    lost_webhooks: int = 0
    seconds: float = 0.0
    baseline: float = 0.0  # macro-F1 of always giving the majority's labels
    verdict: Verdict = field(default_factory=lambda: Verdict(()))

    @property
    def versions(self) -> list[str]:
        """Published versions in the order in which answers named them first."""
        return list(self.tally.versions)


class Stopped(Exception):  # noqa: N818 - it says what happened
    """The story can't go on; the message says why."""


class Story:
    """One run. ``check`` raises when a service has died; ``say`` prints a line."""

    def __init__(
        self, studio: SimulatedLabelStudio, cast: Cast, watch: Watch, pace: Pace,
        *, check: Callable[[], None], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._studio, self._cast, self._watch, self._pace = studio, cast, watch, pace
        self._check, self._say = check, say
        self._controls = {control.kind: control for control in controls_of(studio.project.label_config)}
        self._table = Table(say)
        self._outcome = Outcome(cast, self._table.rows)
        self._tests: list[int] = []
        self._golds: list[int] = []
        self._began = 0.0
        self._open_tasks: list[int] = []  # what the second client asks for

    def tell(self) -> Outcome:
        """Run it all. Never raises for what the backend does: the verdict says it."""
        stop, outcome = "", self._outcome
        self._began = time.monotonic()
        try:
            self._open()
            count = len(self._cast.pictures())
            self._say(f"reading and encoding {count} pictures, each once, before the first line of the table ...")
            self._open_tasks += self._tests[: Traffic.TASKS]
            with Traffic(self._studio, self._open_tasks, outcome.tally):
                self._measure(0)
                self._predict(self._golds, 0)  # as for everything that waits in a project's task list
                self._label_in_batches()
        except Stopped as reason:
            stop = str(reason)
        outcome.webhooks, outcome.lost_webhooks = self._studio.deliveries.sent, self._studio.deliveries.failed
        outcome.seconds = time.monotonic() - self._began
        given = [subject.labels for subject in self._cast.gold]
        outcome.baseline = majority(given, self._cast.test, self._cast.labels).macro_f1
        outcome.verdict = judge(outcome.rows, outcome.baseline, outcome.versions, outcome.tally, stop)
        return outcome

    def _open(self) -> None:
        """What happens when a backend is connected: health, setup until it is ready; then the tasks come."""
        try:
            self._studio.health()
        except BackendFailed as failure:
            raise Stopped(f"the backend can be connected ({failure})") from failure
        end = time.monotonic() + self._pace.ready
        while not self._is_ready():
            self._check()
            if time.monotonic() > end:
                raise Stopped(f"/setup names a model version within {self._pace.ready:.0f} s")
            time.sleep(self._pace.poll)
        # The worker reads tasks in this order while the backend reads those it is asked for: they meet at the end.
        self._golds = self._import(self._cast.gold)
        self._import(self._cast.pool)
        self._tests = self._import(self._cast.test)

    def _is_ready(self) -> bool:
        """While encoders load, Label Studio would show the backend as not connected and ask again; so do we."""
        try:
            return bool(self._studio.setup())
        except BackendFailed:
            return False

    def _import(self, subjects: Sequence[Subject]) -> list[int]:
        return self._studio.import_tasks([Upload(one.picture, task_data(one.title, *one.industry)) for one in subjects])

    def _label_in_batches(self) -> None:
        done = 0
        for count in self._pace.batches:
            for number in range(done, min(count, len(self._golds))):
                self._studio.annotate(self._golds[number], self._annotation(self._cast.gold[number]))
            done = min(count, len(self._golds))
            progress, seconds = self._await_training(time.monotonic(), before=self._table.rows[-1].version)
            self._measure(done, seconds, "" if seconds is not None else f"kept: {progress.note or 'no reason told'}")

    def _annotation(self, subject: Subject) -> list[Json]:
        """What an annotator submits for this picture."""
        rectangles = subject.boxes.boxes if subject.boxes else ()
        regions = [
            rectangle_region(
                self._controls["RectangleLabels"],
                one.label,
                {
                    "x": one.box.left * 100,
                    "y": one.box.top * 100,
                    "width": one.box.width * 100,
                    "height": one.box.height * 100,
                },
                subject.size,
            )
            for one in rectangles
        ]
        tags = [label for label in self._cast.labels if label in subject.labels]
        return [*regions, choices_region(self._controls["Choices"], tags)] if tags else regions

    def _await_training(self, last_webhook: float, before: str) -> tuple[Progress, float | None]:
        """Wait until the training on all gold so far has ended; seconds until its first version served, if one did."""
        revision = self._watch.revision()
        sign = changed = time.monotonic()
        served, swapped = before, None
        while True:
            self._check()
            version, progress = self._served(served), self._watch.progress(revision)
            now = time.monotonic()
            if version != served:
                served, sign, changed = version, now, now
            if swapped is None and served != before and (progress.fresh is None or served in progress.fresh):
                swapped = now - last_webhook
            if progress.busy:
                sign = now
            if progress.ended and (served == progress.serving or now - sign > self._pace.settle):
                return progress, swapped
            if progress.ended is None and swapped is not None and now - changed > self._pace.settle:
                return progress, swapped
            if now - sign > self._pace.patience:
                raise Stopped(f"the worker trains within {self._pace.patience:.0f} s of a batch (does one run?)")
            time.sleep(self._pace.poll)

    def _served(self, otherwise: str) -> str:
        try:
            return self._studio.setup() or otherwise
        except BackendFailed as failure:
            self._outcome.tally.failed(str(failure))
            return otherwise

    def _measure(self, gold: int, seconds: float | None = None, note: str = "") -> None:
        """Predict the test tasks page by page, measure, and add a row."""
        results = self._predict(self._tests, gold)
        self._outcome.last_results = results
        version = Counter(str(result["model_version"]) for result in results).most_common(1)[0][0]
        scores = score_served(results, self._cast.test, self._cast.labels)
        self._table.add(Row(gold, version, scores, time.monotonic() - self._began, seconds, note))

    def _predict(self, ids: list[int], gold: int) -> list[Json]:
        """Predictions of these tasks, asked for page by page."""
        pages = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
        return [result for page in pages for result in self._read_page(page, gold)]

    def _read_page(self, ids: list[int], gold: int) -> list[Json]:
        """One page's predictions; asked again, as Label Studio does, while pictures of it are not read yet."""
        for _ in range(RETRIES):
            results = ask(self._studio, ids, self._outcome.tally)
            if results is None:
                break
            if not any(str(result["model_version"]).endswith(FAST) for result in results):
                if not gold:
                    self._open_tasks.extend(ids)
                return results
        raise Stopped(f"all tasks are predicted after {gold} gold labels")
