"""What a run of many tasks measures: seconds of stages and requests, memory by process, sizes; and the report of it."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
import psutil

from bench.many_looks import Looks
from bench.speed.machine import described
from tools.services.child import family
from tools.services.stack import Stack

MIB = 2**20


@dataclass
class Seen:
    """What was measured: seconds of stages, looks by what ran meanwhile, MiB at most by stage and process, sizes."""

    stages: dict[str, float] = field(default_factory=dict)
    looks: dict[str, Looks] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    sizes: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block as a stage."""
        began = time.monotonic()
        click.echo(f"{time.strftime('%H:%M:%S')} {name} ...", err=True)
        yield
        self.stages[name] = time.monotonic() - began
        click.echo(f"{time.strftime('%H:%M:%S')} {name}: {self.stages[name]:.1f} s", err=True)


class Memory(threading.Thread):
    """Looks twice a second at what the processes hold, and keeps the most by stage."""

    def __init__(self, stack: Stack, seen: Seen) -> None:
        super().__init__(name="memory", daemon=True)
        self._stack, self._seen, self._over = stack, seen, threading.Event()
        self.stage = "starting"

    def run(self) -> None:
        while not self._over.wait(0.5):
            for child in list(self._stack.children):
                if child.pid and child.name in ("backend", "worker"):
                    whole = family(child.pid)
                    self._note(child.name, whole[:1])
                    # What does a job, and its companions.
                    if child.name == "worker":
                        self._note("work horse", whole[1:])

    def end(self) -> None:
        self._over.set()
        self.join()

    def _note(self, name: str, processes: Sequence[psutil.Process]) -> None:
        held = 0.0
        for process in processes:
            try:
                held += process.memory_info().rss / MIB
            except psutil.Error:
                continue
        most = self._seen.memory[self.stage]
        most[name] = max(most.get(name, 0.0), held)


def tell(seen: Seen, tasks: int) -> None:
    """Print tables, and one line of JSON."""
    click.echo(f"\n**{tasks} tasks**\n\n| stage | seconds |\n|---|---:|")
    for name, seconds in seen.stages.items():
        click.echo(f"| {name} | {seconds:.3g} |")
    click.echo("\n| asked | median s | slowest s |\n|---|---:|---:|")
    for when, looks in seen.looks.items():
        for name, one in looks.items():
            click.echo(f"| {when}: {name} | {one.median:.3f} | {one.worst:.3f} |")
    click.echo("\n| MiB at most | backend | worker | work horse |\n|---|---:|---:|---:|")
    for name, held in seen.memory.items():
        click.echo(
            f"| {name} | " + " | ".join(f"{held.get(of, 0):.0f}" for of in ("backend", "worker", "work horse")) + " |"
        )
    click.echo("\n| seconds of jobs | |\n|---|---:|")
    for name, value in seen.jobs.items():
        click.echo(f"| {name} | {value} |")
    for name, size in seen.sizes.items():
        click.echo(f"\n{name}: {size}")
    asked = {when: {name: one.all for name, one in found.items()} for when, found in seen.looks.items()}
    document = {
        "question": "many tasks", "tasks": tasks, "stages": seen.stages, "looks": asked, "memory": seen.memory,
        "jobs": seen.jobs, "sizes": seen.sizes, "machine": described(),
    }  # fmt: skip
    click.echo("\n" + json.dumps(document, ensure_ascii=False))
