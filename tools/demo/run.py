"""One run of the demo: the services, the simulated Label Studio, the story, the report."""

import contextlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator
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
from tools.demo.watch import Inside, Outside, Watch
from tools.project import label_config
from tools.services.record import Record
from tools.services.stack import Stack

Say = Callable[[str], None]

MARK = ".tagloom-demo"
REPORT = "report.html"
_PACE = {
    # A demo shows each gain at once; in service, versions must not churn.
    "TAGLOOM_PROMOTION_SECONDS": "0",
    # Whatever database this machine's real Tagloom has, the demo keeps out of it.
    "TAGLOOM_DATABASE_URL": "",
}


@dataclass(frozen=True)
class Options:
    """What the command line asks for. ``backend_url``: a backend that runs already; then no service is started."""

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
    """Run the demo and write its report. Raises UserError for what must be put right first."""
    people = _people(options)
    require_disk(options.out)
    require_writable(options.out)
    for note in people.notes:
        say(note)
    say(_introduction(options, people))
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


def _people(options: Options) -> Cast:
    people = cast(
        options.data,
        test=options.tasks,
        gold=max(options.pace.batches),
        pool=options.pool,
        seed=options.seed,
        max_pixels=Settings().pictures.image_max_pixels,
    )
    return replace(people, gold=shuffled(people.gold, options.seed)) if options.shuffle_gold else people


def encoders_of(url: str) -> str:
    """Which encoders a backend says it runs on."""
    try:
        encoders = httpx.get(f"{url}/status", timeout=5).raise_for_status().json()["encoders"]
        return "; ".join(f"{part}: {name}" for part, name in encoders.items())
    except (httpx.HTTPError, ValueError, KeyError, AttributeError):
        return "the backend does not say"


def _with_services(options: Options, people: Cast, config: str, say: Say) -> tuple[Outcome, str]:
    settings = Settings(home=fresh_home(options.out), database_url="")
    url = f"http://{settings.access.host}:{settings.access.port}"
    with SimulatedLabelStudio(config, url) as studio:
        access = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.token}
        with Stack(settings, {**_PACE, **access}) as stack:
            _start(stack, say, worker=options.worker)
            with _watch(settings, studio) as watch:
                outcome = Story(studio, people, watch, options.pace, check=stack.check, say=say).tell()
            return outcome, encoders_of(url)


def _start(stack: Stack, say: Say, *, worker: bool) -> None:
    say("starting Valkey, the backend and one RQ worker ..." if worker else "starting Valkey and the backend ...")
    stack.start_queue()
    if worker:
        stack.start_worker()  # first: both take their seconds to import, so they do it together
    stack.start_backend()
    say(f"backend  {stack.backend_url}\nlogs     {stack.logs}\none more worker, by hand:\n  {stack.worker_line()}\n")


@contextlib.contextmanager
def _watch(settings: Settings, studio: SimulatedLabelStudio) -> Iterator[Watch]:
    store = Store.open(settings.paths.database)
    try:
        yield Inside(store, studio.project.key)
    finally:
        store.close()


def fresh_home(out: Path) -> Path:
    """An empty home below ``out``; what an earlier demo left there is ended and removed, and nothing else ever is."""
    home = (out / "state").resolve()
    if home.exists() and not (home / MARK).exists():
        raise UserError(f"{home} is not of an earlier demo: choose another folder with --out")
    if home.exists():
        Record(home).claim()
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / MARK).touch()
    return home


def _introduction(options: Options, people: Cast) -> str:
    sent = "SHUFFLED gold labels" if options.shuffle_gold else "gold labels"
    return (
        f"Tagloom demo on {options.data}: {len(people.test)} tasks to measure on, up to {len(people.gold)} {sent}, "
        f"{len(people.pool)} tasks that nobody labels.\nLabel Studio is simulated (its requests are those of 1.23.2); "
        "Valkey, backend, worker and training are real."
    )


def _facts(options: Options, people: Cast, outcome: Outcome) -> dict[str, str]:
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
