"""Damage Tagloom at random while annotators work, then compare everything with Label Studio and with a quiet run.

    python -m bench.faults [--long] [--seed 1] [--sabotage journal|fencing] [--out FILE]

Real backend, real Valkey, two stock RQ workers; Label Studio is the demo's simulated one, which loses, doubles and
delays a tenth of its webhooks each. Tasks are titles without pictures, so that no time is spent on encoding.
Processes are killed with kill -9 (an eighth of it the backend with a webhook in flight, three tenths a work horse in a
chosen phase of its training), work horses sleep until another worker has published newer gold, Redis is emptied, the
served checkpoint and cached files are damaged, and the disk (a small tmpfs in a separate mount namespace) is filled.
Senders record requests and answers. Exits 1 and names the fault unless

- all harm was done, a fifth of the kills in a training and a tenth with a webhook in flight,
- every event that was answered with success is in the store before anything is reconciled (Label Studio's API is away
  while the harm is done),
- no version with older gold was published after one with newer gold, and CURRENT never went back to a version with less
  gold, except from versions whose checkpoints the suite itself had damaged,
- after a reconcile the gold equals Label Studio's, and all of it gets trained on,
- weak labels equal those of one training in an empty home (1e-4),
- exactly one version is CURRENT, and its checkpoint can be read,
- every prediction was answered well, after a kill at the second request,
- no part of the suite itself ended early.

`--sabotage` switches the journal or the fencing off, and the suite must then fail.
"""

import json
import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from bench.faults.checks import check, watch
from bench.faults.crew import Crew
from bench.faults.harm import Harm, Plan
from bench.faults.office import Office
from bench.faults.record import Protocol, Record
from tools.services.ports import free_port


@dataclass(frozen=True)
class Form:
    """How long a run is: tasks, annotations made, changed or deleted, seconds between two of these, and the harm."""

    tasks: int
    operations: int
    pause: float
    plan: Plan


SHORT = Form(150, 100, 0.3, Plan(kills=8, frozen=2, emptied=1, spoilt=1, filled=1, pause=0.5, seconds=360))
LONG = Form(400, 1000, 0.5, Plan(kills=300, frozen=8, emptied=6, spoilt=5, filled=4, pause=0.15, seconds=1980))
QUICK = {
    "TAGLOOM_PROMOTION_SECONDS": "0",
    "TAGLOOM_RECONCILE_MINUTES": "0",
    "TAGLOOM_SETTLE_SECONDS": "0.3",
    "TAGLOOM_TRAINING_THREADS": "1",
    "TAGLOOM_KEEP_VERSIONS": "3",
    "OMP_NUM_THREADS": "1",
}
DISK = "512m"
INSIDE = "BENCH_FAULTS_DISK"


@click.command()
@click.option("--long", "is_long", is_flag=True, help="300 kills and 1,000 annotations, within 35 minutes.")
@click.option("--seed", default=1, show_default=True)
@click.option("--sabotage", type=click.Choice(["", "journal", "fencing"]), default="")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write the result here as JSON.")
@click.option("--protocol", type=click.Path(path_type=Path), default=None, help="Keep what was sent and answered here.")
def main(is_long: bool, seed: int, sabotage: str, out: Path | None, protocol: Path | None) -> None:
    """Run the fault suite."""
    disk = _small_disk()
    began, record = time.monotonic(), Record()
    form = LONG if is_long else SHORT
    with TemporaryDirectory(dir=disk) as folder, TemporaryDirectory() as beside:
        _run(Path(folder), record, form, seed, sabotage, protocol or Path(beside) / "protocol.jsonl")
    result = {"seed": seed, "seconds": round(time.monotonic() - began), "sabotage": sabotage, **_told(record)}
    click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    if out:
        out.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    sys.exit(bool(record.wrong))


def _run(folder: Path, record: Record, form: Form, seed: int, sabotage: str, protocol: Path) -> None:
    port, home = free_port(), folder / "home"
    lines = Protocol(protocol)
    office = Office(f"http://127.0.0.1:{port}", record, lines, seed)
    options = {**QUICK, "TAGLOOMTEST_SABOTAGE": sabotage}
    with office.studio, Crew(home, port, office.studio.url, office.studio.token, options) as crew:
        office.open(crew, form.tasks, folder)
        _play(crew, office, record, form, seed)
        check(crew, office, record, folder)
        webhooks = office.studio.deliveries
        record.harm["webhooks sent"], record.harm["webhooks lost"] = webhooks.sent, webhooks.lost
        record.harm["webhooks refused or cut short"] = webhooks.failed
    lines.close()


def _play(crew: Crew, office: Office, record: Record, form: Form, seed: int) -> None:
    over, harm = threading.Event(), Harm(crew, office, record, form.plan, seed)
    harming = record.thread(harm.do)
    beside = [record.thread(office.ask, crew, over), record.thread(watch, crew, office, record, over)]
    for thread in [harming, *beside]:
        thread.start()
    try:
        office.annotate(form.operations, lambda: not harming.is_alive(), form.pause)
    finally:
        harming.join()
        office.studio.deliveries.close()
        over.set()
        for thread in beside:
            thread.join()
        harm.account()


def _told(record: Record) -> dict[str, Any]:
    return {
        "kills": {"all": record.killed, **record.kills},
        "of these while training or publishing": {"all": record.stages.total(), **record.stages},
        "further harm": dict(record.harm),
        "annotations": {"all": record.operations.total(), **record.operations},
        "predictions": dict(record.predictions),
        "acknowledged annotations": len(record.told),
        "wrong": record.wrong,
    }


def _small_disk() -> Path:
    """A small tmpfs that this process alone sees: on the first call the program starts again in a mount namespace."""
    if disk := os.environ.get(INSIDE):
        if not any(mount.mountpoint == disk for mount in psutil.disk_partitions(all=True)):
            sys.exit(f"{disk} is no file system of its own")
        return Path(disk)
    unshare = shutil.which("unshare")
    if not unshare:
        sys.exit("the fault suite needs `unshare` (util-linux) for its small disk")
    with TemporaryDirectory() as folder:
        script = f'mount -t tmpfs -o size={DISK} tmpfs "$1" && shift && exec "$@"'
        again = [sys.executable, "-m", "bench.faults", *sys.argv[1:]]
        command = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder, *again]
        os.environ[INSIDE] = folder
        sys.exit(os.spawnv(os.P_WAIT, unshare, command))


if __name__ == "__main__":
    main()
