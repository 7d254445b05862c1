"""Simulate annotators: create, change and delete annotations, request predictions, and record all of it."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
from PIL import Image

from bench.faults.crew import Crew, is_over, wait
from bench.faults.record import Protocol, Record, acknowledged
from labelstudio.project import ProjectKey
from store.leases import lease_name
from store.store import Store
from testing.label_studio.delivery import Faults
from testing.label_studio.simulator import BackendFailed, SimulatedLabelStudio, Upload
from tools.services.stack import healthy

LABELS = ("赠品", "价格", "文案", "LOGO")
WORDS = {"赠品": "买一送一", "价格": "¥199立减", "文案": "轻薄透气四季可穿", "LOGO": "官方旗舰"}
CONFIG = (
    '<View><Text name="title" value="$title"/><Choices name="tags" toName="title" choice="multiple">'
    + "".join(f'<Choice value="{label}"/>' for label in LABELS)
    + "</Choices></View>"
)
LOST, DOUBLED, DELAYED = 0.1, 0.1, 0.1
DEATH_S = 0.5  # a killed process drops its connections a little before it is seen to be over


class Office:
    """Works on one simulated Label Studio. ``on_webhook`` is called when a webhook is about to be sent."""

    def __init__(self, backend_url: str, record: Record, protocol: Protocol, seed: int) -> None:
        faults = Faults(LOST, DOUBLED, DELAYED, seed=seed)
        self.studio = SimulatedLabelStudio(CONFIG, backend_url, faults=faults)
        self.record = record
        self.in_flight = False
        self._reconciled_at = 0.0
        self.on_webhook: Callable[[], None] = lambda: None
        self._chance = random.Random(seed)
        self._protocol = protocol
        # One connection a request: an idle one may be closed by the backend at the moment it is used again.
        self.studio._client.headers["Connection"] = "close"
        self.studio._client.event_hooks = {"request": [self._sent], "response": [self._answered]}

    @property
    def key(self) -> str:
        project = self.studio.project
        return str(ProjectKey("default", project.id, int(project.created.timestamp())))

    def open(self, crew: Crew, tasks: int, folder: Path) -> None:
        """Import tasks; returns when a version serves, all tasks are read and nothing can be reconciled any more.

        From then on Label Studio's API is away, until `reopen`: what a webhook brought must not be found otherwise.
        """
        wait(lambda: self.studio.setup() != "", 180, "the first version")
        picture = folder / "none.png"
        Image.new("RGB", (1, 1)).save(picture)
        titles = [_title(self._chance, number) for number in range(tasks)]
        self.studio.import_tasks([Upload(picture, {"title": title}) for title in titles])
        with crew.store() as store:
            current = store.versions.current(self.key)
            assert current
            features = crew.settings.paths.features / current.space

            def is_ready() -> bool:
                project = store.projects.get(self.key)
                read = sum(1 for _ in features.glob("*/*.safetensors"))
                return project is not None and project.reconciled_at > 0 and read >= tasks

            wait(lambda: store.tasks.count(self.key) == tasks or self._again(), 120, "the tasks are known", every=1.0)
            wait(is_ready, 240, "all tasks are read")
            self.studio.is_away = True
            wait(lambda: not store.leases.held(lease_name("reconcile", self.key)), 60, "the last reconcile ends")
            self._reconciled_at = _reconciled_at(store, self.key)

    def reopen(self, store: Store) -> None:
        """Label Studio's API answers again. Complains when something was reconciled meanwhile."""
        if _reconciled_at(store, self.key) != self._reconciled_at:
            self.record.complain("something was reconciled while Label Studio's API was away")
        self.studio.is_away = False

    def annotate(self, operations: int, is_over: Callable[[], bool], pause: float) -> None:
        """Create, change and delete annotations, at least so many times and until it is over."""
        made: list[int] = []
        while self.record.operations.total() < operations or not is_over():
            self._operation(made)
            time.sleep(pause * (0.5 + self._chance.random()))
            with suppress(TimeoutError):  # an annotator who sees that nothing works takes a break
                wait(lambda: healthy(self.studio.backend_url), 60, "the backend is back")

    def ask(self, crew: Crew, over: threading.Event) -> None:
        """Ask for predictions without pause; what a kill cut short is asked again until it is answered."""
        chance = random.Random(0)
        while not over.is_set():
            task = chance.choice(sorted(self.studio.project.tasks))
            while not self._asked(crew, task):
                self.record.predictions["cut short, then asked again"] += 1
            self.record.predictions["answered"] += 1
            time.sleep(0.05)

    def _asked(self, crew: Crew, task: int) -> bool:
        """Ask a backend that is there; False when it was killed meanwhile. Complains when it failed by itself."""
        backend = crew.children["backend"].pid
        wait(lambda: healthy(crew.url), 120, "the backend is back")
        try:
            self.studio.predict([task], keep=False)
        except BackendFailed as error:
            time.sleep(DEATH_S)
            if backend and backend == crew.children["backend"].pid and not is_over(backend):
                self.record.complain(f"a prediction failed without a kill: {error}")
            return False
        return True

    def _again(self) -> bool:
        """The event of the import was one of the lost ones: the Start training button compares everything."""
        self.studio.start_training()
        return False

    def _operation(self, made: list[int]) -> None:
        kind, chance = self._chance.random(), self._chance
        task = self.studio.project.tasks[chance.choice(sorted(self.studio.project.tasks))]
        truth = [label for label, word in WORDS.items() if word in task.data["title"]]
        result = [{"from_name": "tags", "to_name": "title", "type": "choices", "value": {"choices": truth}}]
        if kind < 0.6 or len(made) < 5:
            made.append(self.studio.annotate(task.id, result, skip=chance.random() < 0.05))
            self.record.operations["created"] += 1
        elif kind < 0.85:
            self.studio.update(chance.choice(made), result if chance.random() < 0.5 else [])
            self.record.operations["changed"] += 1
        else:
            self.studio.delete([made.pop(chance.randrange(len(made)))])
            self.record.operations["deleted"] += 1
        self.in_flight = False

    def _sent(self, request: httpx.Request) -> None:
        self._protocol.sent(request)
        if request.url.path == "/webhook":
            self.in_flight = True
            self.on_webhook()

    def _answered(self, response: httpx.Response) -> None:
        if response.request.url.path == "/webhook":
            self.in_flight = False
        self._protocol.answered(response)
        acknowledged(response, self.record)


def _title(chance: random.Random, number: int) -> str:
    return f"商品{number} " + " ".join(word for word in WORDS.values() if chance.random() < 0.5)


def _reconciled_at(store: Store, key: str) -> float:
    project = store.projects.get(key)
    assert project
    return project.reconciled_at
