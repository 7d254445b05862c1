"""How quickly, and how rightly, a person accepts look-alikes: python -m bench.review FOLDER [--data DIR] [--gold 60]

Runs ``tagloom up`` in the folder with the labelled pictures of ``--data`` (the samples by default), labels pictures of
random products as their gold says, waits until a version is trained and its answers are kept, and then reviews in
headless Chromium by keyboard alone. The person is modelled: LOOK_S seconds a picture and KEY_S a key; of the pictures
whose proposed tags are wrong MISS are not noticed. The machine's own time, from Enter until the next screen has all its
pictures, is measured. Needs Label Studio's environment (``make label-studio``) and Chromium.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page
from pydantic import SecretStr

from store.store import Store
from tagloom.datasets.dataset import Sample, load
from tagloom_base.settings import Settings
from tests.e2e.browser import chromium
from tools.services.ports import free_port
from tools.up.account import Account
from tools.up.project import TITLE, LabelStudio
from tools.up.run import up

LOOK_S, KEY_S, MISS = 0.6, 1.2, 0.05
START_S, TRAINED_S = 600.0, 3600.0

HEAD = (
    "| part | pictures shown | screens | pictures/h | person, modelled | machine, measured | precision before | "
    "after | all tags right | keys per 100 |"
)

_SCREEN = """() => ({
    given: [...document.querySelectorAll('.answer .tag:not(.none)')].map(tag => tag.textContent.trim()),
    pictures: [...document.querySelectorAll('.glance input')].map(box => [Number(box.id.slice(1)), box.dataset.key]),
})"""
_LOADED = """() => !document.querySelector('.glance')
    || [...document.querySelectorAll('.glance img')].every(image => image.complete)"""


@dataclass
class Session:
    """What one part of a review came to. Seconds of the person are modelled, those of the machine measured."""

    screens: int = 0
    shown: int = 0
    accepted: int = 0
    keys: int = 0
    given: list[int] = field(default_factory=lambda: [0, 0])  # tags proposed, and right ones among them
    kept: list[int] = field(default_factory=lambda: [0, 0])  # the same of what was accepted
    whole: int = 0  # accepted pictures whose tags are all right
    machine: list[float] = field(default_factory=list)

    @property
    def person_s(self) -> float:
        return LOOK_S * self.shown + KEY_S * self.keys

    def line(self, name: str, pool: int) -> str:
        hour = 3600 * self.accepted / (self.person_s + sum(self.machine)) if self.screens else 0
        return (
            f"| {name} | {self.shown} ({self.shown / max(pool, 1):.0%}) | {self.screens} | {hour:.0f} | "
            f"{self.person_s:.0f} s | {sum(self.machine):.0f} s (median {median(self.machine or [0]):.2f} s) | "
            f"{_share(self.given)} | {_share(self.kept)} | {self.whole / max(self.accepted, 1):.3f} | "
            f"{100 * self.keys / max(self.shown, 1):.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path("samples/data"))
    parser.add_argument("--tasks", type=int, default=640)
    parser.add_argument("--gold", type=int, default=60, help="pictures that are labelled before the review")
    parser.add_argument("--pace", type=float, default=1.0, help="share of the person's modelled time that is waited")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--up", type=int, help=argparse.SUPPRESS)  # the port of Label Studio, in the child
    options = parser.parse_args()
    samples = _labelled(options.data, options.tasks)
    if options.up:
        up(Settings(), samples, sorted({label for one in samples for label in one.labels}), port=options.up)
        return
    chance = random.Random(options.seed)
    with running(options) as (api, project, settings, backend), closing(Store.open(settings.paths.database)) as store:
        gold = _gold(api, project, samples)
        labelled = _labelled_already(api, project)
        if not labelled:
            labelled = _some_products(gold, options.gold, chance)
            for number in labelled:
                annotate(api, number, gold[number])
        (key,) = [one.key for one in store.projects.all()]
        _until(TRAINED_S, lambda: _is_settled(store, key, len(gold)))
        current = store.versions.current(key)
        assert current
        pool = len(gold) - len(labelled)
        print(f"{current.version} of {len(labelled)} labelled pictures; {pool} others")
        print(HEAD)
        print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            account = Account.of(options.folder.resolve())
            address = f"{backend}/pages/"
            page.goto(address)
            page.fill("#token", account.token)
            page.keyboard.press("Enter")
            page.wait_for_selector("#now")
            for part in ("sure", "rest"):
                session = reviewed(
                    page, f"{address}review?id={key.partition('/')[2]}&part={part}", gold, chance, options.pace
                )
                print(session.line(part, pool), flush=True)
        _until(120, lambda: not any(batch.is_open for batch in store.batches.newest(key, 1000)))
        print(_as_written(api, project, gold, labelled))


def reviewed(page: Page, address: str, gold: Mapping[int, Sample], chance: random.Random, pace: float) -> Session:
    """Review screen after screen until none comes."""
    session = Session()
    page.goto(address)
    page.wait_for_function(_LOADED)
    while True:
        screen = page.evaluate(_SCREEN)
        if not screen["pictures"]:
            return session
        given = frozenset(screen["given"])
        session.screens += 1
        before = session.person_s
        for number, pressed in screen["pictures"]:
            right = frozenset(gold[number].labels)
            session.shown += 1
            _count(session.given, given, right)
            if given != right and chance.random() >= MISS:
                page.keyboard.press(pressed)
                session.keys += 1
                continue
            session.accepted += 1
            _count(session.kept, given, right)
            session.whole += given == right
        time.sleep(pace * (session.person_s - before))
        began = time.monotonic()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.wait_for_function(_LOADED)
        session.keys += 1
        session.machine.append(time.monotonic() - began)


def annotate(api: LabelStudio, task: int, sample: Sample) -> None:
    """Submit a picture's gold, as the editor would."""
    size = {"original_width": 400, "original_height": 400, "image_rotation": 0}
    result: list[dict[str, Any]] = [
        {
            "id": f"r{number}",
            "from_name": "boxes",
            "to_name": "image",
            "type": "rectanglelabels",
            "value": {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "rotation": 0,
                      "rectanglelabels": [box.label]},
            **size,
        }
        for number, box in enumerate(sample.boxes)
    ]  # fmt: skip
    tags = {"choices": list(sample.labels)}
    result.append({"id": "tags", "from_name": "elements", "to_name": "image", "type": "choices", "value": tags})
    api.call("POST", f"/api/tasks/{task}/annotations/", json={"result": result, "lead_time": 8.0})


@contextmanager
def running(options: argparse.Namespace) -> Iterator[tuple[LabelStudio, int, Settings, str]]:
    home = options.folder.resolve()
    home.mkdir(parents=True, exist_ok=True)
    port, backend_port = free_port(), free_port()
    environment = {**os.environ, "TAGLOOM_HOME": str(home), "TAGLOOM_PORT": str(backend_port)}
    command = [sys.executable, "-m", "bench.review", str(home), "--data", str(options.data)]
    command += ["--tasks", str(options.tasks), "--up", str(port)]
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _until(START_S, lambda: "Ctrl-C stops everything" in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            account, url = Account.of(home), f"http://127.0.0.1:{port}"
            with closing(LabelStudio(url, account.token)) as api:
                (project,) = [one for one in api.call("GET", "/api/projects/")["results"] if one["title"] == TITLE]
                token = SecretStr(account.token)
                settings = Settings(home=home, label_studio_url=url, label_studio_token=token)
                yield api, project["id"], settings, f"http://127.0.0.1:{backend_port}"
        finally:
            process.terminate()
            process.wait(90)


def _labelled(data: Path, most: int) -> list[Sample]:
    """The labelled samples with a picture; those that are for measuring only, or without labels, are left alone."""
    known = [one for one in load(data).samples if one.labelled and not one.for_measuring and one.picture]
    return known[:most]


def _gold(api: LabelStudio, project: int, samples: Sequence[Sample]) -> dict[int, Sample]:
    """The sample of each task, by its picture's name (stored as 8 hex digits, a dash, the name)."""
    by_name = {sample.image.name: sample for sample in samples}
    tasks = api.call("GET", f"/api/tasks?project={project}&page_size=10000")["tasks"]
    return {task["id"]: by_name[Path(task["data"]["image"]).name.partition("-")[2]] for task in tasks}


def _labelled_already(api: LabelStudio, project: int) -> list[int]:
    """The tasks that an earlier run in this folder has labelled."""
    tasks = api.call("GET", f"/api/tasks?project={project}&page_size=10000")["tasks"]
    return [task["id"] for task in tasks if task["is_labeled"]]


def _some_products(gold: Mapping[int, Sample], count: int, chance: random.Random) -> list[int]:
    """About so many tasks: all of random products."""
    products = sorted({sample.product_id for sample in gold.values()})
    chance.shuffle(products)
    chosen: list[int] = []
    for product in products:
        if len(chosen) >= count:
            break
        chosen += [number for number, sample in gold.items() if sample.product_id == product]
    return chosen


def _is_settled(store: Store, key: str, tasks: int) -> bool:
    """Whether a trained version serves, nothing waits for a training, and all tasks have its answers."""
    current, project = store.versions.current(key), store.projects.get(key)
    if current is None or project is None or current.is_cold_start or project.has_new_gold or store.answers.due():
        return False
    return sum(1 for _ in store.answers.of_version(key, current.version)) >= tasks


def _as_written(api: LabelStudio, project: int, gold: Mapping[int, Sample], labelled: Sequence[int]) -> str:
    """What Label Studio holds in the end of the pictures that were not labelled before."""
    tasks = api.call("GET", f"/api/tasks?project={project}&fields=all&page_size=10000")["tasks"]
    written, twice = [0, 0], 0
    pictures = 0
    for task in tasks:
        if task["id"] in labelled or not task["annotations"]:
            continue
        twice += len(task["annotations"]) > 1
        pictures += 1
        regions = [region for region in task["annotations"][0]["result"] if region["type"] == "choices"]
        given = frozenset(name for region in regions for name in region["value"]["choices"])
        _count(written, given, frozenset(gold[task["id"]].labels))
    told = f"Label Studio holds {pictures} reviewed pictures, {twice} of them twice"
    return f"{told}; precision of their tags {_share(written)}"


def _count(counts: list[int], given: frozenset[str], right: frozenset[str]) -> None:
    counts[0] += len(given)
    counts[1] += len(given & right)


def _share(counts: Sequence[int]) -> str:
    return f"{counts[1] / counts[0]:.3f}" if counts[0] else "-"


def _until(seconds: float, condition: Any) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds:.0f} s")
        time.sleep(1)


if __name__ == "__main__":
    main()
