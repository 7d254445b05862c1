"""The command `tagloom`. Each command imports its modules when it runs, so that the help appears at once."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagloom.backup import backup
from tagloom.encoders import encoders
from tagloom.forget import forget
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from store.store import Store
    from tagloom_base.settings import Settings

CHECKOUT = ("demo", "down", "up")
"""Commands that only a checkout has: they are in `tools.commands`, which is not installed."""


class Commands(click.Group):
    """The group of all commands. A UserError ends with one line and code 1, Ctrl-C with code 130. No tracebacks.

    In a checkout of the repository the group also contains that checkout's commands.
    """

    root = Path(__file__).resolve().parents[1]

    @property
    def is_checkout(self) -> bool:
        return (self.root / "tools" / "commands.py").is_file()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *(CHECKOUT if self.is_checkout else ())])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in CHECKOUT:
            return super().get_command(ctx, cmd_name)
        if not self.is_checkout:
            raise UserError(
                f"`tagloom {cmd_name}` belongs to a checkout of Tagloom: clone the repository and run `make {cmd_name}`"
            )
        if str(self.root) not in sys.path:
            sys.path.append(str(self.root))
        found: click.Command = vars(importlib.import_module("tools.commands"))[cmd_name]
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            from tagloom_base import redaction

            click.echo(redaction.redacted(f"tagloom: {error}"), err=True)
            raise click.exceptions.Exit(1) from error
        except KeyboardInterrupt as stopped:
            click.echo("stopped", err=True)
            raise click.exceptions.Exit(130) from stopped


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """A Label Studio ML backend for product images that gets better with every gold label.

    Settings come from environment variables (TAGLOOM_..., REDIS_URL, LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY). Workers
    are plain RQ workers: `rq worker -S json tagloom`.
    """


main.add_command(backup)
main.add_command(encoders)
main.add_command(forget)


@main.command()
def serve() -> None:
    """Run the backend that Label Studio connects to."""
    from model.encoders.device import require_device
    from tagloom.preflight import require_free

    chosen = settings()
    require_device(chosen.encoders.device)
    require_free(chosen.access.port, chosen.access.host, "TAGLOOM_PORT")

    from backend.serve import run

    run(chosen)


@main.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("samples/data"),
    show_default=True,
    help="Folder as for `tagloom demo`, or a file that Label Studio exported as JSON, JSON_MIN, CSV or TSV.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder with an export's pictures, whose paths end as their addresses do; without it the export's own folder.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=None,
    help="File with an export's labelling config: it says which fields are texts, and which answers are labels.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(".evaluation"),
    show_default=True,
    help="Folder for features, results, report and pictures: a killed run goes on from there.",
)
@click.option(
    "--gold",
    default="0,0.01,0.05,0.1,0.2,1",
    show_default=True,
    help="Shares of the products whose labels are gold; 0 is the cold start, 1 all but a fifth to test on.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Draws of gold at each share.")
@click.option("--method", "methods", multiple=True, help="Only this method; may be given several times.")
@click.option("--effort", is_flag=True, help="Tell the effort of correcting the boxes, too.")
@click.option("--effort-seconds", default="", help="Seconds of its actions, by commas, such as draw=20,edge=5.")
def evaluate(
    data: Path, pictures: Path | None, config: Path | None, out: Path, gold: str, seeds: int,
    methods: tuple[str, ...], effort: bool, effort_seconds: str,
) -> None:  # fmt: skip
    """Measure Tagloom against its ablations and plain methods on labelled pictures."""
    from tagloom.evaluate import REPORT, Plan, seconds_of
    from tagloom.evaluate import evaluate as run

    prices = seconds_of(effort_seconds)
    effort = effort or bool(effort_seconds)
    try:
        shares = tuple(float(share) for share in gold.split(","))
    except ValueError as wrong:
        raise UserError(f"--gold {gold!r} is not a list of shares such as 0,0.1") from wrong
    plan = Plan(data, out, shares, seeds, methods or None, pictures, effort, prices, config)
    click.echo("\n" + run(plan, settings(), click.echo))
    click.echo(f"\nreport: {out / REPORT}")


@main.command("train-encoders")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder as for `tagloom demo`, or a file that Label Studio exported as JSON, JSON_MIN, CSV or TSV.",
)
@click.option("--pictures", type=click.Path(path_type=Path), default=None, help="Folder with an export's pictures.")
@click.option("--config", type=click.Path(path_type=Path), default=None, help="File with an export's labelling config.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the new encoders, and for the features of the old ones.",
)
@click.option("--image", is_flag=True, help="Train the encoder of pictures.")
@click.option("--text", is_flag=True, help="Train the encoder of texts.")
@click.option("--epochs", type=click.IntRange(1), default=8, show_default=True, help="Passes over all gold.")
@click.option(
    "--gold",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the labelled products to train on.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the training, and of the share's draw.")
def train_encoders(
    data: Path, pictures: Path | None, config: Path | None, out: Path, image: bool, text: bool, epochs: int,
    gold: float, seed: int,
) -> None:  # fmt: skip
    """Train the encoders themselves on labelled pictures, and write them as new encoders.

    What is trained are the encoders that the settings name. Nothing that runs is changed: set what is printed at the
    end for backend and workers, and all items are encoded anew.
    """
    from tagloom.train_encoders import Plan
    from tagloom.train_encoders import run as train

    names = train(Plan(data, out, image, text, epochs, gold, seed, pictures, config), settings(), click.echo)
    click.echo("use them by:\n" + "\n".join(f"{variable}={name}" for variable, name in names.items()))


def project_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option that names a project."""
    words = "Project key, title or Label Studio's id, or how one of these begins, where there are several projects."
    return click.option("--project", default="", help=words)(command)


@main.command()
@project_option
def versions(project: str) -> None:
    """List versions: which serves, which were refused and why. Without --project those of all projects."""
    from tagloom import operate

    with opened_store() as store:
        tables = [operate.version_lines(store, found) for found in operate.named(store, project)]
    click.echo("\n\n".join("\n".join(lines) for lines in tables))


@main.command()
@click.argument("version")
@project_option
def promote(version: str, project: str) -> None:
    """Make VERSION serve, whatever the promotion gate said. The beginning of its name is enough, such as v6."""
    from tagloom import operate
    from worker.promotion.choosing import promote as promoted

    with opened_store() as store:
        click.echo(f"serving: {promoted(store, operate.chosen(store, project).key, version)}")


@main.command()
@project_option
def rollback(project: str) -> None:
    """Go back to the version that served before (and, asked again, forth)."""
    from tagloom import operate
    from worker.promotion.choosing import roll_back

    with opened_store() as store:
        click.echo(f"serving: {roll_back(store, operate.chosen(store, project).key)}")


@main.command()
@project_option
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="Lines to show.")
def doubtful(project: str, most: int) -> None:
    """List gold labels that the model, its neighbours and the cues all speak against.

    The model that is asked has not seen the item (out-of-fold answers), so this trains four short times and takes as
    long. Nothing is changed: correct in Label Studio what is wrong.
    """
    from tagloom import operate
    from worker.training.doubtful import doubtful as find
    from worker.workplace import open_workplace

    with opened_store() as store:
        chosen = operate.chosen(store, project)
    with open_workplace(settings()) as workplace, operate.told():
        found = find(workplace, chosen.key)
        url = workplace.client_of(chosen).connection.url
    click.echo("\n".join(operate.doubt_lines(found[:most], chosen, url)))


@main.command()
@project_option
@click.option("--unlabelled", is_flag=True, help="Only tasks that nobody has labelled.")
def predict(project: str, unlabelled: bool) -> None:
    """Write the served version's predictions into Label Studio, for tasks that have none of it yet.

    After a promotion the worker does this by itself for unlabelled tasks whose predictions are stored; this does it for
    all tasks, in chunks. Earlier predictions of Tagloom's are rewritten in place, except ones that an annotation was
    made from. Ended anywhere, it goes on there when it is run again.
    """
    from tagloom import operate
    from worker.pictures import picture_lines
    from worker.predictions.preannotation import Scope, refresh
    from worker.predictions.repair import repair
    from worker.watch import NeverEnds
    from worker.workplace import open_workplace

    with opened_store() as store:
        chosen = operate.chosen(store, project)
    with open_workplace(settings()) as workplace, operate.told():
        show = operate.shown(lambda line: click.echo(line, err=True))
        repaired = repair(workplace, chosen, NeverEnds(), reading_s=30.0)
        done = refresh(workplace, chosen, NeverEnds(), show, Scope(unlabelled_only=unlabelled))
        lines = picture_lines(workplace.store, chosen)
    click.echo(f"{done}, {repaired} rewritten that had been made without their picture")
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


@main.command()
def doctor() -> None:
    """Check what Tagloom needs here, with the settings of the backend that runs, and say how to mend what is wrong."""
    from tagloom.doctor import findings
    from tagloom_base import redaction

    well = True
    for finding in findings():
        click.echo(redaction.redacted(str(finding)))
        well = well and finding.well
    raise click.exceptions.Exit(0 if well else 1)


@contextmanager
def opened_store() -> Iterator["Store"]:
    """Yield the store of the settings, which must be there, and tell on stderr where it is."""
    from tagloom import operate

    paths = settings().paths
    with operate.opened(paths) as store:
        click.echo(f"in {operate.place(paths)}", err=True)
        yield store


def settings() -> "Settings":
    """Return the settings of this process, and keep their secrets out of its logs. UserError for unusable variables."""
    from tagloom_base import logs
    from tagloom_base.settings import Settings

    found = Settings()
    logs.guard(found.secrets)
    return found


if __name__ == "__main__":
    main()
