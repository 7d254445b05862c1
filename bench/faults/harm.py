"""Damage Tagloom: kill processes at chosen moments, empty Redis, damage files, fill the disk."""

import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from bench.faults.crew import WORKERS, Crew, is_over, send
from bench.faults.office import Office
from bench.faults.record import Record
from model import checkpoint
from store.leases import lease_name

HORSE = "horse"
STAGES = ("base", "fusion", "refine", "judging", "writing weak labels")
LEARNING = STAGES[:3]
FROZEN_S = 60.0  # a lease's end and a successor's training take less, also beside other work
WOKEN_S = 90.0  # who wakes up and does not notice that it was overtaken trains to the end and publishes meanwhile
IN_FLIGHT_S = 0.015  # a webhook is on its way for about so long
IN_FLIGHT, FROZEN, EMPTIED = "webhooks in flight at a kill", "work horses overtaken while frozen", "Redis emptied"
SPOILT, FILLED, CUT = "served checkpoints spoilt", "disk filled", "features of tasks cut in half"


@dataclass(frozen=True)
class Plan:
    """How much harm: ``kills`` in all; of the rest so many times each. ``seconds``: no kill comes later."""

    kills: int
    frozen: int
    emptied: int
    spoilt: int
    filled: int
    pause: float
    seconds: float


class Harm:
    """Does a plan's harm in an order that its seed decides."""

    def __init__(self, crew: Crew, office: Office, record: Record, plan: Plan, seed: int) -> None:
        self._crew, self._office, self._record, self._plan = crew, office, record, plan
        self._chance = random.Random(seed + 1)
        self._armed = threading.Event()
        office.on_webhook = self._webhook_leaves

    def do(self) -> None:
        """All of it, one after the other, as far as there is time."""
        end = time.monotonic() + self._plan.seconds
        for act in self._acts():
            while not act():
                if time.monotonic() > end:
                    return
                time.sleep(0.2)
            time.sleep(self._plan.pause * (0.5 + self._chance.random()))

    def account(self) -> None:
        """Complain about harm that was not done: a run without it would prove nothing."""
        plan, record = self._plan, self._record
        done = {**record.harm, "kills": record.killed, "kills while training or publishing": record.stages.total()}
        shares = {"kills while training or publishing": plan.kills / 5, IN_FLIGHT: plan.kills / 10}
        others = {
            FROZEN: plan.frozen,
            EMPTIED: plan.emptied,
            SPOILT: plan.spoilt,
            FILLED: plan.filled,
            CUT: plan.spoilt,
        }
        for what, wanted in {"kills": plan.kills, **shares, **others}.items():
            if done.get(what, 0) < wanted:
                record.complain(f"only {done.get(what, 0)} of {math.ceil(wanted)} {what}")

    def _acts(self) -> Iterator[Callable[[], bool]]:
        plan, chance = self._plan, self._chance
        in_flight, in_training = -(-plan.kills // 8), -(-plan.kills * 3 // 10)
        acts: list[Callable[[], bool]] = [self._kill_with_webhook] * in_flight + [self._kill_in_training] * in_training
        rest = plan.kills - len(acts)
        names = chance.choices([HORSE, "backend", *WORKERS, "valkey"], [1, 4, 2, 2, 3], k=rest)
        acts += [self._kill_horse if name == HORSE else partial(self._kill, name) for name in names]
        acts += [self._freeze] * plan.frozen + [self._empty] * plan.emptied
        acts += [self._spoil] * plan.spoilt + [self._fill] * plan.filled
        chance.shuffle(acts)
        return iter(acts)

    def _kill(self, name: str) -> bool:
        training = self._crew.training()
        if not self._crew.kill(self._crew.children[name].pid):
            return False
        self._count(name, training.stage if training and training.worker == name else "")
        return True

    def _kill_horse(self) -> bool:
        """The work horse that trains, if one does, else one that does another job."""
        training = self._crew.training()
        busy = [training.worker] if training else [name for name in WORKERS if self._crew.horse(name)]
        if not busy or not self._crew.kill(self._crew.horse(busy[0])):
            return False
        self._count(HORSE, training.stage if training else "")
        return True

    def _kill_in_training(self) -> bool:
        """A work horse at a moment of its training that the seed chose, if that moment comes soon."""
        wanted, end = self._chance.choice(STAGES), time.monotonic() + 4
        while self._crew.stage() != wanted and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1 * self._chance.random())
        training = self._crew.training()
        if training is None or training.stage not in STAGES or not self._crew.kill(self._crew.horse(training.worker)):
            return False
        self._count(HORSE, training.stage)
        return True

    def _kill_with_webhook(self) -> bool:
        """The backend while a webhook is on its way to it."""
        before = self._record.harm[IN_FLIGHT]
        self._armed.set()
        end = time.monotonic() + 10
        while self._armed.is_set() and time.monotonic() < end:
            time.sleep(0.01)
        self._armed.clear()
        time.sleep(0.1)
        return self._record.harm[IN_FLIGHT] > before

    def _webhook_leaves(self) -> None:
        if not self._armed.is_set():
            return
        self._armed.clear()
        pause, pid = IN_FLIGHT_S * self._chance.random(), self._crew.children["backend"].pid

        def kill() -> None:
            time.sleep(pause)
            if self._office.in_flight and self._crew.kill(
                pid
            ):  # else it was answered sooner: another one is waited for
                self._count("backend", "")
                self._record.harm[IN_FLIGHT] += 1

        self._record.thread(kill).start()

    def _freeze(self) -> bool:
        """A work horse sleeps while it trains, and wakes up when a successor has published newer gold.

        It counts only then, and once the sleeper has come to its end: nothing else would show that it was held back.
        """
        end = time.monotonic() + 10
        while self._crew.stage() not in LEARNING and time.monotonic() < end:
            time.sleep(0.02)
        training = self._crew.training()
        pid = self._crew.horse(training.worker) if training and training.stage in LEARNING else None
        if pid is None or not send(pid, signal.SIGSTOP):
            return False
        try:
            is_behind = self._still_trains() and self._newer_is_published()
        finally:
            send(pid, signal.SIGCONT)
        if not (is_behind and _ends(pid)):
            return False
        self._record.harm[FROZEN] += 1
        return True

    def _still_trains(self) -> bool:
        """Whether the sleeper has not gone on between the look and the stop: it could have published by then."""
        time.sleep(0.1)
        return self._crew.stage() in LEARNING

    def _newer_is_published(self) -> bool:
        """Wait until somebody publishes gold that the sleeper cannot know; False when nobody does."""
        end = time.monotonic() + FROZEN_S
        with self._crew.store() as store:
            project = store.projects.get(self._office.key)
            assert project
            while time.monotonic() < end:
                if any(entry.gold_revision > project.gold_revision for entry in store.versions.list(project.key)):
                    return True
                time.sleep(0.2)
        return False

    def _empty(self) -> bool:
        with suppress(RedisError):
            self._crew.redis.flushall()
            self._record.harm[EMPTIED] += 1
            return True
        return False

    def _spoil(self) -> bool:
        """Damage what serves, what a training has kept and some features; leave a checkpoint written by half."""
        with self._crew.store() as store:
            current = store.versions.current(self._office.key)
            busy = store.leases.held(lease_name("train", self._office.key))
        if current is None or not busy:
            return False
        folder = self._crew.settings.paths.checkpoints / current.folder
        self._record.spoilt.add(current.number)  # before it is: whoever watches CURRENT must know in time
        spoil = self._chance.choice((_cut, _overwrite, _zero, _replace))
        if not spoil(folder / checkpoint.TENSORS):
            return False
        self._record.harm[SPOILT] += 1
        half = folder.with_name(f".v{current.number}.0000.half")  # as a killed training leaves it
        half.mkdir(exist_ok=True)
        (half / checkpoint.TENSORS).write_bytes(b"\0" * 100)
        kept = [path for name in ("runs", "neighbours") for path in (self._crew.home / name).rglob("*.safetensors")]
        features = sorted(self._crew.settings.paths.features.rglob("*.safetensors"))
        self._record.harm["files cut in half"] += sum(map(_cut, kept))
        self._record.harm[CUT] += sum(map(_cut, self._chance.sample(features, min(5, len(features)))))
        return True

    def _fill(self) -> bool:
        """No byte is free for a while."""
        filler = self._crew.home / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            size = 1 << 22
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2
        time.sleep(3 + 3 * self._chance.random())
        filler.unlink(missing_ok=True)
        self._record.harm[FILLED] += 1
        return True

    def _count(self, name: str, stage: str) -> None:
        self._record.kills[name] += 1
        if stage in STAGES:
            self._record.stages[stage] += 1


def _ends(pid: int) -> bool:
    """Wait for a process to end; False when it does not."""
    end = time.monotonic() + WOKEN_S
    while not is_over(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return is_over(pid)


def _cut(file: Path) -> bool:
    """Leave the first half, in place: who has mapped the file loses the rest of it; False when the file is gone."""
    with suppress(FileNotFoundError):
        os.truncate(file, file.stat().st_size // 2)
        return True
    return False


def _overwrite(file: Path) -> bool:
    """Other bytes in the middle, in place; False when the file is gone."""
    return _write(file, 0.5, b"\xff" * 64)


def _zero(file: Path) -> bool:
    """Zeros alone, as many as there were bytes, in place; False when the file is gone."""
    with suppress(FileNotFoundError):
        return _write(file, 0, b"\0" * file.stat().st_size)
    return False


def _write(file: Path, at: float, content: bytes) -> bool:
    """Put bytes over a file's own, from that share of its length on; its length stays."""
    with suppress(FileNotFoundError), file.open("r+b") as opened:
        size = file.stat().st_size
        opened.seek(int(size * at))
        opened.write(content[: size - int(size * at)])
        return True
    return False


def _replace(file: Path) -> bool:
    """A half of it in one move: who has opened the file keeps what it was; False when the file is gone."""
    with suppress(FileNotFoundError):
        content = file.read_bytes()
        beside = file.with_suffix(".spoilt")
        beside.write_bytes(content[: len(content) // 2])
        beside.replace(file)
        return True
    return False
