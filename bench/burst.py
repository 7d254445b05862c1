"""Measure the time from the last of a burst of webhooks to the version that serves, and its parts.

    python -m bench.burst [--gold 100] [--tasks 160] [--strangers 300] [--transcript]

Uses the real backend, Valkey and two stock workers with default settings, on the sample pictures. Their features and
candidate boxes are computed before the first label. ``--strangers`` is a number of projects that Label Studio does not
have: a webhook with an annotation of each is sent just before the burst. ``--transcript`` shows `rq info` and `tagloom
versions` at the end, and the log of the worker that trained.
"""

import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bench.faults.crew import WORKERS, Crew, wait
from labelstudio.project import ProjectKey
from store.leases import lease_name
from store.store import Store
from tagloom.datasets.dataset import Sample, load
from testing.label_studio.payloads import Json, choices_region, controls_of, rectangle_region
from testing.label_studio.simulator import SimulatedLabelStudio, Upload
from tools.project import label_config, task_data
from tools.services.child import program
from tools.services.ports import free_port


@click.command()
@click.option("--gold", default=100, show_default=True, help="Webhooks of the burst.")
@click.option("--tasks", default=160, show_default=True)
@click.option("--strangers", default=0, show_default=True, help="Made-up projects that are told before it.")
@click.option("--transcript", is_flag=True, help="Show what an operator sees.")
def main(gold: int, tasks: int, strangers: int, transcript: bool) -> None:
    """Measure one burst."""
    samples = load(Path("samples/data"))
    port = free_port()
    with TemporaryDirectory() as folder, SimulatedLabelStudio(
        label_config(samples.labels()), f"http://127.0.0.1:{port}"
    ) as studio, Crew(Path(folder), port, studio.url, studio.token, {}) as crew:  # fmt: skip
        _ready(studio, crew, samples.samples[:tasks])
        _tell_of_strangers(studio, strangers)
        click.echo(json.dumps({"strangers": strangers} | _burst(studio, crew, samples.samples[:gold]), indent=2))
        if transcript:
            _show(crew)


def _ready(studio: SimulatedLabelStudio, crew: Crew, samples: Sequence[Sample]) -> None:
    wait(lambda: studio.setup() != "", 180, "the first version")
    studio.import_tasks([Upload(one.image, task_data(one.title, one.level1, one.level2)) for one in samples])
    features = crew.settings.paths.features
    wait(lambda: sum(1 for _ in features.rglob("*.safetensors")) >= len(samples), 550, "all pictures are read")
    with crew.store() as store:
        wait(lambda: not store.leases.held(lease_name("encode", _key(studio))), 60, "the worker has nothing to do")


def _tell_of_strangers(studio: SimulatedLabelStudio, count: int) -> None:
    for number in range(10_000, 10_000 + count):
        entry = {"id": 1, "result": [choices_region(controls_of(studio.project.label_config)[0], ["LOGO"])]}
        studio.deliveries.send(
            {
                "action": "ANNOTATION_CREATED",
                "project": {**studio.project.body(), "id": number},
                "task": {"id": 1, "data": {"title": "made up"}},
                "annotation": entry,
            }
        )


def _burst(studio: SimulatedLabelStudio, crew: Crew, samples: Sequence[Sample]) -> Json:
    """Seconds since the last webhook: each stage's first sight, and the moment at which /setup names a new version."""
    cold, over, seen = studio.setup(), threading.Event(), dict[str, float]()
    for number, sample in enumerate(samples, start=1):
        studio.annotate(number, _result(studio, sample))
    began = time.monotonic()

    def look() -> None:
        while not over.wait(0.05):
            if stage := crew.stage():
                seen.setdefault(stage, round(time.monotonic() - began, 1))

    looking = threading.Thread(target=look)
    looking.start()
    with crew.store() as store:
        wait(lambda: _is_judged(store, _key(studio)), 300, "a version is judged")
        judged = round(time.monotonic() - began, 1)
        version = store.versions.list(_key(studio))[0]
        wait(lambda: studio.setup() != cold or version.state == "refused", 30, "it serves")
    served = round(time.monotonic() - began, 1)
    over.set()
    looking.join()
    end = {
        "judged": judged,
        "served": served,
        "version": version.version,
        "state": version.state,
        "why": version.reason,
    }
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.machine()}"
    return {"gold": len(samples), "seconds since the last webhook": seen, **end, "machine": machine}


def _is_judged(store: Store, key: str) -> bool:
    newest = store.versions.list(key)[0]
    return newest.number > 0 and newest.state != "candidate"


def _result(studio: SimulatedLabelStudio, sample: Sample) -> list[Json]:
    controls = {control.kind: control for control in controls_of(studio.project.label_config)}
    boxes = [
        rectangle_region(
            controls["RectangleLabels"],
            box.label,
            {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
            (400, 400),
        )
        for box in sample.boxes
    ]
    return [choices_region(controls["Choices"], sample.labels), *boxes]


def _key(studio: SimulatedLabelStudio) -> str:
    return str(ProjectKey("default", studio.project.id, int(studio.project.created.timestamp())))


def _show(crew: Crew) -> None:
    environment = {**os.environ, **crew.environment}
    for command in (["rq", "info", "tagloom"], ["tagloom", "versions"]):
        done = subprocess.run([program(command[0]), *command[1:]], env=environment, capture_output=True, text=True)
        click.echo(f"$ {' '.join(command)}\n{done.stdout}")
    logs = [(crew.home / "logs" / f"{name}.log").read_text() for name in WORKERS]
    click.echo(f"$ rq worker -S json tagloom\n{max(logs, key=lambda log: 'macro-F1' in log)}")


if __name__ == "__main__":
    main()
