"""Measure how soon stored predictions follow a promotion: python -m bench.refresh FOLDER [--tasks 640] [--promotions 3]

Runs ``tagloom up`` in the folder (a second run uses the project of the first), waits until all pictures are read, lets
Label Studio request all predictions, and then promotes the served version under new numbers. Prints a Markdown
table: seconds until the first task, half of them and all of them show the new version (Label Studio is polled each
second), predictions per task, and how long Label Studio takes for one task (``GET /api/tasks/<id>``) before and
meanwhile. Needs Label Studio's environment (``make label-studio``).
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import SecretStr

from model import checkpoint
from store.store import Store
from store.versions import NewVersion
from tagloom_base.settings import Settings
from tools.services.child import program
from tools.services.ports import free_port
from tools.up.account import Account
from tools.up.project import TITLE, LabelStudio
from worker.predictions.answering import Answering
from worker.workplace import open_workplace

START_S = 600.0
READ_S = 3600.0
ASKED_AT_ONCE = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, default=640)
    parser.add_argument("--promotions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=600.0, help="the longest wait for one promotion's predictions")
    options = parser.parse_args()
    with running(options.folder, options.tasks) as (api, project, settings):
        ids = [task["id"] for task in listed(api, project)]
        with closing(Store.open(settings.paths.database)) as store:
            (key,) = [one.key for one in store.projects.all()]
            wait_for_pictures(settings, key, ids)
            ask_for_all(api, project, ids)
            print("| promotion | first task | half | all | predictions a task | one task before | meanwhile |")
            print("|---|---|---|---|---|---|---|")
            for number in range(1, options.promotions + 1):
                print(line(number, api, project, settings, store, key, options.seconds), flush=True)


@contextmanager
def running(home: Path, tasks: int) -> Iterator[tuple[LabelStudio, int, Settings]]:
    home.mkdir(parents=True, exist_ok=True)
    port, backend_port = free_port(), free_port()
    environment = {**os.environ, "TAGLOOM_HOME": str(home), "TAGLOOM_PORT": str(backend_port)}
    command = [program("tagloom"), "up", "--label-studio-port", str(port), "--tasks", str(tasks)]
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            until(START_S, lambda: "Ctrl-C stops everything" in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            account = Account.of(home)
            url = f"http://127.0.0.1:{port}"
            api = LabelStudio(url, account.token)
            (project,) = [one for one in api.call("GET", "/api/projects/")["results"] if one["title"] == TITLE]
            token = SecretStr(account.token)
            yield api, project["id"], Settings(home=home, label_studio_url=url, label_studio_token=token)
            api.close()
        finally:
            process.terminate()
            process.wait(90)


def until(seconds: float, condition: Any) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds:.0f} s")
        time.sleep(1)


def listed(api: LabelStudio, project: int) -> list[dict[str, Any]]:
    """Tasks that nobody has labelled, with the number of their predictions."""
    found = api.call("GET", "/api/tasks/", params={"project": project, "page_size": 10000})
    return sorted((one for one in found["tasks"] if not one["is_labeled"]), key=lambda task: int(task["id"]))


def showing(api: LabelStudio, project: int, version: str) -> int:
    """How many of them have a prediction of the version."""
    chosen = [
        {"filter": "filter:tasks:completed_at", "operator": "empty", "type": "Datetime", "value": True},
        {
            "filter": "filter:tasks:predictions_model_versions",
            "operator": "contains",
            "type": "List",
            "value": [version],
        },
    ]
    query = json.dumps({"filters": {"conjunction": "and", "items": chosen}})
    return int(api.call("GET", "/api/tasks/", params={"project": project, "page_size": 1, "query": query})["total"])


def wait_for_pictures(settings: Settings, key: str, ids: list[int]) -> None:
    with open_workplace(settings) as workplace:
        project = workplace.store.projects.get(key)
        assert project
        answering = Answering(workplace, project)
        until(
            READ_S, lambda: len(answering.read([one.payload() for one in workplace.store.tasks.all(key)])) == len(ids)
        )


def ask_for_all(api: LabelStudio, project: int, ids: list[int]) -> None:
    for start in range(0, len(ids), ASKED_AT_ONCE):
        chosen = {"all": False, "included": ids[start : start + ASKED_AT_ONCE]}
        path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
        api.call("POST", path, json={"selectedItems": chosen})


def promote_next(settings: Settings, store: Store, key: str) -> str:
    """The served version once more under the next number; its name."""
    current = store.versions.current(key)
    assert current
    tagger = checkpoint.load(settings.paths.checkpoints / current.folder)
    number = store.versions.reserve(key)
    version = checkpoint.version_name(number, tagger)
    folder = f"{key.replace('/', '-')}/{version}"
    checkpoint.save(tagger, settings.paths.checkpoints / folder, version=version, about=checkpoint.About(phase="bench"))
    new = NewVersion(number, version, current.version, folder, "bench", tagger.space, tagger.labels, {}, 0, 0, 0)
    return store.versions.install(key, new, generation=current.generation).version


def line(
    number: int, api: LabelStudio, project: int, settings: Settings, store: Store, key: str, seconds: float
) -> str:
    tasks = listed(api, project)
    before = [one_task(api, task["id"]) for task in tasks[:20]]
    version, began = promote_next(settings, store, key), time.monotonic()
    reached: dict[int, float] = {}
    meanwhile: list[float] = []
    while len(reached) < len(tasks) and time.monotonic() - began < seconds:
        meanwhile.append(one_task(api, tasks[len(meanwhile) % len(tasks)]["id"]))
        for count in range(len(reached) + 1, showing(api, project, version) + 1):
            reached[count] = time.monotonic() - began
        time.sleep(1)
    counts = sorted({int(task["total_predictions"]) for task in listed(api, project)})
    times = [f"{reached[count]:.1f} s" if count in reached else "-" for count in (1, len(tasks) // 2, len(tasks))]
    shown_counts = ", ".join(map(str, counts))
    return (
        f"| {number}: {version} | {' | '.join(times)} | {shown_counts} | {median(before) * 1000:.0f} ms | "
        f"{median(meanwhile) * 1000:.0f} ms |"
    )


def one_task(api: LabelStudio, task: int) -> float:
    began = time.monotonic()
    api.call("GET", f"/api/tasks/{task}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
