"""Kills Tagloom's processes at random while annotators work, and then compares everything with Label Studio.

    python -m bench.faults [--kills 20] [--annotations 120] [--seed 1] [--sabotage journal|fencing]

Real backend, real Valkey, two stock RQ workers; Label Studio is the demo's simulated one, which loses, doubles and
delays webhooks. Tasks are titles without pictures, so that all the time goes into what is tested. What was sent and
answered is recorded by the sender. Exits 1, naming what was wrong, unless at the end

- every event that was answered with success is in the store, before anything is reconciled,
- after a reconcile the gold equals Label Studio's,
- exactly one version is CURRENT, it loads, and none was ever followed by one that knew less gold,
- every prediction that no kill cut short was answered well, and each of the others when it was asked again.

`--sabotage` switches the journal or the fencing off, which must make it fail.
"""

import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import httpx
import psutil
from PIL import Image

from labelstudio.project import ProjectKey
from model import checkpoint
from store.store import Store
from store.versions import State, training_lease
from tagloom.demo.delivery import Faults
from tagloom.demo.simulator import BackendFailed, SimulatedLabelStudio, Upload
from tagloom.services import valkey
from tagloom.services.child import Child, program
from tagloom.services.ports import free_port
from tagloom.services.stack import healthy
from tagloom.settings import Settings

LABELS = ("赠品", "价格", "文案", "LOGO")
WORDS = {"赠品": "买一送一", "价格": "¥199立减", "文案": "轻薄透气四季可穿", "LOGO": "官方旗舰"}
CONFIG = (
    '<View><Text name="title" value="$title"/><Choices name="tags" toName="title" choice="multiple">'
    + "".join(f'<Choice value="{label}"/>' for label in LABELS)
    + "</Choices></View>"
)
LOST, DOUBLED, DELAYED = 0.1, 0.1, 0.1


@dataclass
class Record:
    """What happened, as seen from outside Tagloom."""

    kills: Counter[str] = field(default_factory=Counter)
    predictions: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[int, tuple[str, str]] = field(default_factory=dict)  # annotation → last stamp and content told
    wrong: list[str] = field(default_factory=list)


class Crew:
    """Tagloom's processes. Those that are killed start again at once, as under a supervisor."""

    def __init__(self, home: Path, port: int, url: str, token: str, sabotage: str) -> None:
        self.port, redis_port = port, free_port()
        self.environment = {
            "TAGLOOM_HOME": str(home),
            "TAGLOOM_PORT": str(self.port),
            "TAGLOOM_DATABASE_URL": "",
            "TAGLOOM_PROMOTION_SECONDS": "0",
            "TAGLOOM_RECONCILE_MINUTES": "0",
            "TAGLOOM_TRAINING_THREADS": "1",
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "RQ_CONFIG": "worker.rq_settings",
            "LABEL_STUDIO_URL": url,
            "LABEL_STUDIO_API_KEY": token,
            "OMP_NUM_THREADS": "1",
            "TAGLOOM_SABOTAGE": sabotage,
            "PYTHONPATH": f"{Path(__file__).parent / 'sabotage'}:{Path(__file__).parents[1]}",
        }
        worker = [program("rq"), "worker", "-S", "json", "tagloom"]
        self.children = {
            "valkey": valkey.embedded(home, redis_port, home / "logs" / "valkey.log"),
            "backend": self._child("backend", [program("tagloom"), "serve"], home),
            "worker 1": self._child("worker 1", worker, home),
            "worker 2": self._child("worker 2", worker, home),
        }
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep)

    def __enter__(self) -> "Crew":
        for child in self.children.values():
            child.start()
        wait(lambda: healthy(self.url), 180, "the backend starts")
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._keeper.join()
        for child in reversed(self.children.values()):
            child.stop(2.0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self, name: str) -> bool:
        """kill -9 a process by name; `horse` is a work horse that does a job now. False when there is none."""
        pid = self._horse() if name == "horse" else self.children[name].pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def freeze(self, seconds: float) -> bool:
        """Stop a work horse for longer than its lease lives, then let it go on."""
        pid = self._horse()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
        return True

    def _horse(self) -> int | None:
        for name in ("worker 1", "worker 2"):
            with contextlib.suppress(psutil.NoSuchProcess):
                pid = self.children[name].pid
                children = psutil.Process(pid).children() if pid else []
                if children:
                    return int(children[0].pid)
        return None

    def _keep(self) -> None:
        while not self._stop.wait(0.1):
            for child in self.children.values():
                if child.pid and _is_over(child.pid):
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(child.pid, os.WNOHANG)
                    child.start()

    def _child(self, name: str, command: list[str], home: Path) -> Child:
        return Child(name, command, log=home / "logs" / f"{name}.log", environment=self.environment)


def _is_over(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@click.command()
@click.option("--kills", default=20, show_default=True)
@click.option("--annotations", default=120, show_default=True)
@click.option("--tasks", default=150, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--sabotage", type=click.Choice(["", "journal", "fencing"]), default="")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write the result here as JSON.")
def main(kills: int, annotations: int, tasks: int, seed: int, sabotage: str, out: Path | None) -> None:
    """Run the fault suite."""
    began, record, chance = time.monotonic(), Record(), random.Random(seed)
    with TemporaryDirectory() as folder:
        home = Path(folder)
        picture = home / "none.png"
        Image.new("RGB", (1, 1)).save(picture)
        faults, port = Faults(LOST, DOUBLED, DELAYED, seed=seed), free_port()
        with (
            SimulatedLabelStudio(CONFIG, f"http://127.0.0.1:{port}", faults=faults) as studio,
            Crew(home, port, studio.url, studio.token, sabotage) as crew,
        ):
            _connect(studio, record)
            studio.import_tasks([Upload(picture, {"title": _title(chance, number)}) for number in range(tasks)])
            _play(studio, crew, record, chance, kills, annotations)
            _check(studio, crew, home, record)
    result = {
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "annotations": annotations,
        "kills": dict(record.kills),
        "predictions": dict(record.predictions),
        "webhooks": {
            "sent": studio.deliveries.sent,
            "lost": studio.deliveries.lost,
            "failed": studio.deliveries.failed,
        },
        "acknowledged": len(record.acknowledged),
        "sabotage": sabotage,
        "wrong": record.wrong,
    }
    click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    if out:
        out.write_text(json.dumps(result, ensure_ascii=False, indent=2))
    sys.exit(bool(record.wrong))


def _title(chance: random.Random, number: int) -> str:
    return f"商品{number} " + " ".join(word for word in WORDS.values() if chance.random() < 0.5)


def _connect(studio: SimulatedLabelStudio, record: Record) -> None:
    """Note what the backend acknowledges from now on; wait for its first version."""

    def note(response: httpx.Response) -> None:
        if response.request.url.path != "/webhook" or not response.is_success:
            return
        annotation = json.loads(response.request.content).get("annotation")
        if isinstance(annotation, dict):
            told = annotation["updated_at"], json.dumps(annotation["result"], sort_keys=True)
            number = annotation["id"]
            record.acknowledged[number] = max(record.acknowledged.get(number, ("", "")), told)

    studio._client.event_hooks = {"response": [note]}
    wait(lambda: studio.setup() != "", 120, "the first version")


def _play(
    studio: SimulatedLabelStudio, crew: Crew, record: Record, chance: random.Random, kills: int, annotations: int
) -> None:
    over = threading.Event()
    asking = threading.Thread(target=_ask, args=(studio, crew, record, over))
    watching = threading.Thread(target=_watch_current, args=(studio, crew, record, over))
    killing = threading.Thread(target=_kill, args=(crew, record, random.Random(chance.random()), kills))
    for thread in (asking, watching, killing):
        thread.start()
    _annotate(studio, chance, annotations, killing)
    killing.join()
    studio.deliveries.close()
    over.set()
    asking.join()
    watching.join()


def _annotate(studio: SimulatedLabelStudio, chance: random.Random, annotations: int, killing: threading.Thread) -> None:
    """Create, change and delete annotations while processes are killed."""
    made: list[int] = []
    count = 0
    while count < annotations or killing.is_alive():
        kind = chance.random()
        task = studio.project.tasks[chance.choice(sorted(studio.project.tasks))]
        truth = [label for label, word in WORDS.items() if word in task.data["title"]]
        result = [{"from_name": "tags", "to_name": "title", "type": "choices", "value": {"choices": truth}}]
        if kind < 0.6 or len(made) < 5:
            made.append(studio.annotate(task.id, result, skip=chance.random() < 0.05))
        elif kind < 0.85:
            studio.update(chance.choice(made), [])
        else:
            studio.delete([made.pop(chance.randrange(len(made)))])
        count += 1
        time.sleep(0.05 + 0.3 * chance.random())
        with contextlib.suppress(TimeoutError):  # an annotator who sees that nothing works takes a break
            wait(lambda: healthy(studio.backend_url), 60, "the backend is back")


def _kill(crew: Crew, record: Record, chance: random.Random, kills: int) -> None:
    """Horses are the most frequent target: they train, judge and publish."""
    done = 0
    while done < kills:
        time.sleep(1.0 + 2.0 * chance.random())
        name = chance.choices(
            ["horse", "frozen horse", "backend", "worker 1", "worker 2", "valkey"], [4, 1, 3, 1, 1, 2]
        )[0]
        hit = crew.freeze(10.0) if name == "frozen horse" else crew.kill(name)
        if hit:
            record.kills[name] += 1
            done += 1


def _ask(studio: SimulatedLabelStudio, crew: Crew, record: Record, over: threading.Event) -> None:
    """Ask for predictions without pause; what a kill cut short is asked again until it is answered."""
    chance = random.Random(0)
    while not over.is_set():
        ids = [chance.choice(sorted(studio.project.tasks))]
        backend = crew.children["backend"].pid
        try:
            studio.predict(ids, keep=False)
            record.predictions["answered"] += 1
        except BackendFailed as error:
            if (
                backend == crew.children["backend"].pid
                and backend
                and not _is_over(backend)
                and "no answer" not in str(error)
            ):
                record.wrong.append(f"a prediction failed without a kill: {error}")
            record.predictions["cut short"] += 1
            wait(lambda: healthy(crew.url), 120, "the backend is back")
        time.sleep(0.05)


def _watch_current(studio: SimulatedLabelStudio, crew: Crew, record: Record, over: threading.Event) -> None:
    """CURRENT must never go back to a version that knew less gold."""
    key, newest = _key(studio), 0
    with _store(crew) as store:
        while not over.wait(0.2):
            serving = store.versions.current(key)
            known = {entry.number: entry.gold_revision for entry in store.versions.list(key)}
            revision = known.get(serving.number, 0) if serving else 0
            if revision < newest:
                record.wrong.append(f"CURRENT went from gold revision {newest} back to {revision}")
            newest = max(newest, revision)


def _check(studio: SimulatedLabelStudio, crew: Crew, home: Path, record: Record) -> None:
    key = _key(studio)
    with _store(crew) as store:
        held = _held(store, key)
        _check_acknowledged(studio, held, record)
        wait(lambda: studio.start_training() is not None, 60, "a training is asked for")
        truth = _truth(studio)
        try:
            wait(lambda: _held(store, key) == truth, 120, "the gold equals Label Studio's", every=0.5)
            wait(lambda: _idle(store, key), 240, "all gold is trained on", every=0.5)
        except TimeoutError as late:
            record.wrong.append(str(late))
        listed = store.versions.list(key)
        if sum(entry.state is State.CURRENT for entry in listed) != 1:
            record.wrong.append(f"{sum(entry.state is State.CURRENT for entry in listed)} versions are CURRENT")
        current = store.versions.current(key)
        assert current
        checkpoint.load(home / "checkpoints" / current.folder, space=current.space)


def _check_acknowledged(studio: SimulatedLabelStudio, held: dict[int, Any], record: Record) -> None:
    alive = {entry.id: entry for task in studio.project.tasks.values() for entry in task.annotations}
    for number, (stamp, content) in record.acknowledged.items():
        entry = alive.get(number)
        if entry is None or entry.updated_at != stamp:
            continue  # deleted or changed later, and that event may be one of the lost ones
        there = json.dumps(held.get(number, (None, None))[0], sort_keys=True)
        if there != content:
            record.wrong.append(f"annotation {number} was acknowledged and is not in the store")


def _held(store: Store, key: str) -> dict[int, Any]:
    entries = (entry for found in store.annotations.of_project(key).values() for entry in found)
    return {entry["id"]: (entry["result"], entry["was_cancelled"]) for entry in entries}


def _truth(studio: SimulatedLabelStudio) -> dict[int, Any]:
    tasks = studio.project.tasks.values()
    return {entry.id: (entry.result, entry.was_cancelled) for task in tasks for entry in task.annotations}


def _idle(store: Store, key: str) -> bool:
    project = store.projects.get(key)
    return project is not None and not project.has_new_gold and not store.leases.held(training_lease(key))


def _key(studio: SimulatedLabelStudio) -> str:
    return str(ProjectKey("default", studio.project.id, int(studio.project.created.timestamp())))


@contextlib.contextmanager
def _store(crew: Crew) -> Iterator[Store]:
    store = Store.open(Settings(home=Path(crew.environment["TAGLOOM_HOME"]), database_url="").database)
    try:
        yield store
    finally:
        store.close()


def wait(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.1) -> None:
    """Wait until it is true; what raises counts as not yet. TimeoutError names what did not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BackendFailed, httpx.HTTPError):
            if condition():
                return
        time.sleep(every)
    raise TimeoutError(f"not within {seconds:.0f} s: {what}")


if __name__ == "__main__":
    main()
