"""Run the demo: start the services and the simulated Label Studio, follow the story, and write the report."""

import contextlib
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from store.store import Store
from tagloom.preflight import require_disk, require_writable
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.label_studio.simulator import SimulatedLabelStudio
from tools.demo.data import Cast, cast, shuffled
from tools.demo.report import write_report
from tools.demo.story import Outcome, Pace, Story
from tools.demo.watch import Inside, Outside
from tools.project import label_config
from tools.services.record import Record
from tools.services.stack import Stack

Say = Callable[[str], None]

MARK = ".tagloom-demo"
REPORT = "report.html"
_PACE = {
    # A demo shows each gain at once. In real use versions must not change so often.
    "TAGLOOM_PROMOTION_SECONDS": "0",
    # The demo must not use the database of this machine's real Tagloom.
    "TAGLOOM_DATABASE_URL": "",
}


@dataclass(frozen=True)
class Options:
    """The options of the command line. With ``backend_url``, the URL of a running backend, no service is started."""

    data: Path
    out: Path
    tasks: int
    pool: int
    pace: Pace
    seed: int
    shuffle_gold: bool = False
    worker: bool = True
    backend_url: str = ""


def run(options: Options, say: Say) -> Outcome:
    """Run the demo and write its report. Raises UserError for a problem that must be solved first."""
    people = cast(
        options.data,
        test=options.tasks,
        gold=max(options.pace.batches),
        pool=options.pool,
        seed=options.seed,
        max_pixels=Settings().pictures.image_max_pixels,
    )
    if options.shuffle_gold:
        people = replace(people, gold=shuffled(people.gold, options.seed))
    require_disk(options.out)
    require_writable(options.out)
    for note in people.notes:
        say(note)
    labels = "SHUFFLED gold labels" if options.shuffle_gold else "gold labels"
    say(
        f"Tagloom demo on {options.data}: {len(people.test)} tasks to measure on, up to {len(people.gold)} {labels}, "
        f"{len(people.pool)} tasks that nobody labels.\nLabel Studio is simulated (its requests are those of 1.23.2); "
        "Valkey, backend, worker and training are real."
    )
    config = label_config(people.labels)
    if options.backend_url:
        with SimulatedLabelStudio(config, options.backend_url) as studio:
            outcome = Story(studio, people, Outside(), options.pace, check=lambda: None, say=say).tell()
            encoders = encoders_of(options.backend_url)
    else:
        outcome, encoders = _with_services(options, people, config, say)
    say(f"\nencoders: {encoders}")
    if outcome.lost_webhooks:
        say(f"{outcome.lost_webhooks} of {outcome.webhooks} webhooks were not taken within Label Studio's second")
    write_report(options.out / REPORT, outcome, {"Encoders": encoders, **_facts(options, people, outcome)})
    return outcome


def encoders_of(url: str) -> str:
    """Return the encoders of a backend, according to its /status."""
    try:
        encoders = httpx.get(f"{url}/status", timeout=5).raise_for_status().json()["encoders"]
        return "; ".join(f"{part}: {name}" for part, name in encoders.items())
    except (httpx.HTTPError, ValueError, KeyError, AttributeError):
        return "the backend does not say"


def _with_services(options: Options, people: Cast, config: str, say: Say) -> tuple[Outcome, str]:
    """Start the services, run the story on them, and return its outcome and the encoders' description."""
    settings = Settings(home=fresh_home(options.out), database_url="")
    url = f"http://{settings.access.host}:{settings.access.port}"
    with SimulatedLabelStudio(config, url) as studio:
        access = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.token}
        with Stack(settings, {**_PACE, **access}, command="tagloom demo") as stack:
            say(f"starting Valkey{', the backend and one RQ worker' if options.worker else ' and the backend'} ...")
            stack.start_queue()
            if options.worker:
                # The worker starts before the backend, so that both do their slow imports at the same time.
                stack.start_worker()
            stack.start_backend()
            by_hand = f"one more worker, by hand:\n  {stack.worker_line()}\n"
            say(f"backend  {stack.backend_url}\nlogs     {stack.logs}\n{by_hand}")
            with contextlib.closing(Store.open(settings.paths.database)) as store:
                watch = Inside(store, studio.project.key)
                outcome = Story(studio, people, watch, options.pace, check=stack.check, say=say).tell()
            return outcome, encoders_of(url)


def fresh_home(out: Path) -> Path:
    """Return an empty home below ``out``. Only processes and files of an earlier demo are ended and removed."""
    home = (out / "state").resolve()
    if home.exists() and not (home / MARK).exists():
        raise UserError(f"{home} is not of an earlier demo: choose another folder with --out")
    if home.exists():
        Record(home).claim()
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / MARK).touch()
    return home


def _facts(options: Options, people: Cast, outcome: Outcome) -> dict[str, str]:
    """Return the facts for the report: data, gold, requests, webhooks and time."""
    tally = outcome.tally
    return {
        "Data": f"{options.data}, {len(people.test)} tasks to measure on, seed {options.seed}",
        "Gold": "shuffled among its tasks"
        if options.shuffle_gold
        else "as in the data; no product is in gold and test",
        "Second client": (
            f"{tally.sent} requests, {len(tally.failures)} failed; "
            f"median {tally.quantile(0.5):.2f} s, 99 % within {tally.quantile(0.99):.2f} s"
        ),
        "Webhooks": f"{outcome.webhooks} sent, {outcome.lost_webhooks} not taken within a second",
        "Time": f"{outcome.seconds:.0f} s on {os.cpu_count()} cores, Python {platform.python_version()}",
    }
