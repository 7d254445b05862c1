"""The course of the demo: gold labels are sent, and the predictions become better.

A simulated Label Studio imports tasks and requests predictions before any label exists (the cold start). Then it
submits gold in batches. After each batch, once the worker has trained and the backend serves the new version, the test
tasks are predicted again and measured against labels that were never sent. A second client requests predictions all
the time.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from testing.label_studio.payloads import Json, choices_region, controls_of, rectangle_region
from testing.label_studio.simulator import BackendFailed, SimulatedLabelStudio, Upload
from tools.demo.data import Cast, Subject
from tools.demo.scoring import majority, score_served
from tools.demo.table import Row, Table
from tools.demo.traffic import FAST, Tally, Traffic, ask
from tools.demo.verdict import DemoVerdict, judge
from tools.demo.watch import Progress, Watch
from tools.project import task_data

BATCHES = (10, 40, 80, 120)
# Tasks of one /predict, like a selection in Label Studio's task list.
PAGE = 16
RETRIES = 3


@dataclass(frozen=True)
class Pace:
    """Times of the demo, in seconds, and ``batches``: the numbers of gold labels after which to measure.

    ``patience`` is the longest wait for a sign of training. A connected backend must name a version within ``ready``.
    When the training cannot be observed, a version that serves for ``settle`` counts as the training's last.
    ``poll`` is the pause between two looks.
    """

    batches: tuple[int, ...] = BATCHES
    patience: float = 60.0
    ready: float = 120.0
    settle: float = 8.0
    poll: float = 0.25


@dataclass
class Outcome:
    """Everything that the report shows.

    ``lost_webhooks`` of all ``webhooks`` were not accepted within Label Studio's limit of one second. That costs time
    but no gold, because the worker compares its store with Label Studio. So it is reported and is no failure.
    """

    cast: Cast
    rows: list[Row] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    last_results: list[Json] = field(default_factory=list)
    webhooks: int = 0
    lost_webhooks: int = 0
    seconds: float = 0.0
    baseline: float = 0.0  # macro-F1 of always giving the majority's labels
    verdict: DemoVerdict = field(default_factory=lambda: DemoVerdict(()))

    @property
    def versions(self) -> list[str]:
        """Published versions, in the order of the first answer by each."""
        return list(self.tally.versions)


class Stopped(Exception):  # noqa: N818 - it says what happened
    """Raised when the demo cannot continue. The message is the promise that was not kept."""


class Story:
    """One run of the demo. ``check`` raises when a service has ended; ``say`` prints a line."""

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
        # Tasks whose predictions the second client requests.
        self._open_tasks: list[int] = []

    def tell(self) -> Outcome:
        """Run the demo. Failures of the backend do not raise; the verdict reports them."""
        stop, outcome = "", self._outcome
        self._began = time.monotonic()
        try:
            self._open()
            count = len(self._cast.pictures())
            self._say(f"reading and encoding {count} pictures, each once, before the first line of the table ...")
            self._open_tasks += self._tests[: Traffic.TASKS]
            with Traffic(self._studio, self._open_tasks, outcome.tally):
                self._measure(0)
                # The tasks to label get predictions too, as in a real project.
                self._predict(self._golds, 0)
                done = 0
                for count in self._pace.batches:
                    for number in range(done, min(count, len(self._golds))):
                        self._studio.annotate(self._golds[number], self._annotation(self._cast.gold[number]))
                    done = min(count, len(self._golds))
                    progress, seconds = self._await_training(time.monotonic(), before=self._table.rows[-1].version)
                    note = "" if seconds is not None else f"kept: {progress.note or 'no reason told'}"
                    self._measure(done, seconds, note)
        except Stopped as reason:
            stop = str(reason)
        outcome.webhooks, outcome.lost_webhooks = self._studio.deliveries.sent, self._studio.deliveries.failed
        outcome.seconds = time.monotonic() - self._began
        given = [subject.labels for subject in self._cast.gold]
        outcome.baseline = majority(given, self._cast.test, self._cast.labels).macro_f1
        outcome.verdict = judge(outcome.rows, outcome.baseline, outcome.versions, outcome.tally, stop)
        return outcome

    def _open(self) -> None:
        """Connect the backend as Label Studio does (/health, /setup until it names a version), and import the tasks."""
        try:
            self._studio.health()
        except BackendFailed as failure:
            raise Stopped(f"the backend can be connected ({failure})") from failure
        end = time.monotonic() + self._pace.ready
        while True:
            # While the encoders load, /setup may fail. Label Studio would then ask again later.
            with suppress(BackendFailed):
                if self._studio.setup():
                    break
            self._check()
            if time.monotonic() > end:
                raise Stopped(f"/setup names a model version within {self._pace.ready:.0f} s")
            time.sleep(self._pace.poll)
        # The worker reads tasks in this order, while the backend reads the test tasks, which are requested first.
        self._golds = self._import(self._cast.gold)
        self._import(self._cast.pool)
        self._tests = self._import(self._cast.test)

    def _import(self, subjects: Sequence[Subject]) -> list[int]:
        return self._studio.import_tasks([Upload(one.picture, task_data(one.title, *one.industry)) for one in subjects])

    def _annotation(self, subject: Subject) -> list[Json]:
        """Return the regions that an annotator submits for this picture."""
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
        """Wait until the training on all gold so far has ended.

        Return its progress, and the seconds from the last webhook until its first version served; None if none did.
        Raises Stopped if no sign of a training appears in time.
        """
        revision = self._watch.revision()
        sign = changed = time.monotonic()
        served, swapped = before, None
        while True:
            self._check()
            version = served
            try:
                version = self._studio.setup() or served
            except BackendFailed as failure:
                self._outcome.tally.failed(str(failure))
            progress = self._watch.progress(revision)
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

    def _measure(self, gold: int, seconds: float | None = None, note: str = "") -> None:
        """Predict the test tasks page by page, measure, and add a row."""
        results = self._predict(self._tests, gold)
        self._outcome.last_results = results
        version = Counter(str(result["model_version"]) for result in results).most_common(1)[0][0]
        scores = score_served(results, self._cast.test, self._cast.labels)
        self._table.add(Row(gold, version, scores, time.monotonic() - self._began, seconds, note))

    def _predict(self, ids: list[int], gold: int) -> list[Json]:
        """Return the predictions of these tasks, requested page by page."""
        pages = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
        return [result for page in pages for result in self._predict_page(page, gold)]

    def _predict_page(self, ids: list[int], gold: int) -> list[Json]:
        """Return the predictions of a page. Ask again, as Label Studio does, while pictures of it are unread."""
        for _ in range(RETRIES):
            results = ask(self._studio, ids, self._outcome.tally)
            if results is None:
                break
            if not any(str(result["model_version"]).endswith(FAST) for result in results):
                if not gold:
                    self._open_tasks.extend(ids)
                return results
        raise Stopped(f"all tasks are predicted after {gold} gold labels")
