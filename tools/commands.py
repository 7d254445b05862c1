"""The commands of a checkout: `tagloom demo`, `tagloom up` and `tagloom down`."""

from pathlib import Path

import click

from tagloom.command import Answer, Reporting, settings, tell
from tagloom_base.errors import UsageError

DEMO_FOLDER = Path(".demo")
DEMO_BATCHES = "10,40,80,120"


@click.command(cls=Reporting)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("samples/data"),
    show_default=True,
    help="Folder with items.csv (id, image, title, level1, level2, labels), pictures, perhaps boxes.csv.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEMO_FOLDER,
    show_default=True,
    help="Folder for the report, the logs and the state of the run.",
)
@click.option("--tasks", type=click.IntRange(1), default=240, show_default=True, help="Tasks to measure on.")
@click.option("--pool", type=click.IntRange(0), default=30, show_default=True, help="Tasks without labels to add.")
@click.option("--batches", default=DEMO_BATCHES, show_default=True, help="Gold counts after which to measure.")
@click.option(
    "--patience",
    type=click.FloatRange(1),
    default=60,
    show_default=True,
    help="Seconds to wait for a sign of training after a batch.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of who is labelled, and who is tested on.")
@click.option("--shuffle-gold", is_flag=True, help="Send each task another task's labels: the demo must then fail.")
@click.option("--no-worker", is_flag=True, help="Start no worker: the demo must then fail.")
@click.option("--backend-url", default="", help="Use a backend that runs already and start nothing.")
def demo(
    data: Path, out: Path, tasks: int, pool: int, batches: str, patience: float, seed: int,
    shuffle_gold: bool, no_worker: bool, backend_url: str,
) -> Answer:  # fmt: skip
    """Show the whole loop: gold labels in, better pre-annotations out, measured while it runs."""
    from tools.demo.run import REPORT, Options, run
    from tools.demo.story import Pace

    pace = Pace(_counts(batches), patience)
    options = Options(data, out, tasks, pool, pace, seed, shuffle_gold, not no_worker, backend_url)
    outcome = run(options, click.echo)
    lines = outcome.verdict.lines()
    tell("", *lines, "", f"report: {out / REPORT}", "next:   `make up` opens the samples in a real Label Studio")
    return Answer({"passed": outcome.verdict.passed, "said": lines, "report": out / REPORT}, outcome.verdict.passed)


@click.command()
@click.option("--label-studio-port", type=int, default=8080, show_default=True, help="Port of Label Studio.")
@click.option("--tasks", type=click.IntRange(1), default=None, help="Only the first so many samples.")
def up(label_studio_port: int, tasks: int | None) -> None:
    """Run Label Studio with the sample project, connected to a backend and a worker, until Ctrl-C."""
    from tagloom.datasets.dataset import load
    from tools.up.run import up as run

    dataset = load(Path("samples/data"))
    run(settings(), dataset.samples[:tasks], dataset.labels(), port=label_studio_port)


@click.command(cls=Reporting)
def down() -> Answer:
    """End what runs of `tagloom up` and `tagloom demo` have left."""
    from tools.services.record import Record

    homes = (settings().paths.home.resolve(), DEMO_FOLDER.resolve() / "state")
    ended = {home: names for home in homes if (names := Record(home).down())}
    for home, names in ended.items():
        tell(f"ended in {home}: {', '.join(names)}")
    if not ended:
        tell(f"nothing was running in {' or '.join(map(str, homes))}")
    return Answer({"ended": {str(home): names for home, names in ended.items()}})


def _counts(batches: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(count) for count in batches.split(","))
    except ValueError as wrong:
        raise UsageError(f"--batches {batches!r} is not a list of numbers such as {DEMO_BATCHES}") from wrong
    if list(counts) != sorted(set(counts)) or counts[0] < 1:
        raise UsageError(f"--batches {batches!r} must grow, such as {DEMO_BATCHES}")
    return counts
