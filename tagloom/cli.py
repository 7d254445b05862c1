"""The command `tagloom`. Each command imports its modules when it runs, so that the help appears at once."""

import importlib
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from tagloom import projects
from tagloom.backup import backup
from tagloom.command import Answer, Reporting, Root, settings, tell
from tagloom.encoders import encoders
from tagloom.export import export
from tagloom.forget import forget
from tagloom.init import init
from tagloom.knowledge import knowledge
from tagloom.similar import recommend, similar
from tagloom_base.errors import UsageError, UserError

CHECKOUT = ("demo", "down", "up")
"""Commands that only a checkout has: they are in `tools.commands`, which is not installed."""

SHELL_LINES = {
    "bash": 'put this line into ~/.bashrc:  eval "$(tagloom completion bash 2>/dev/null)"',
    "fish": "put this line into ~/.config/fish/config.fish:  tagloom completion fish 2>/dev/null | source",
    "zsh": 'put this line into ~/.zshrc, below compinit:  eval "$(tagloom completion zsh 2>/dev/null)"',
}


class Commands(Root):
    """All commands; in a checkout of the repository also that checkout's."""

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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """A Label Studio ML backend for product images that gets better with every gold label.

    Settings come from environment variables (TAGLOOM_..., REDIS_URL, LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY). Workers
    are plain RQ workers: `rq worker -S json tagloom`. Commands end with 0, with 1 if they failed or found something
    wrong, with 2 if they were called wrongly, and with 130 after Ctrl-C.
    """


for command in (backup, encoders, export, forget, init, knowledge, projects.columns, projects.doubtful,
                projects.predict, projects.promote, projects.reconcile, projects.rollback, projects.status,
                projects.train, projects.versions, recommend, similar):  # fmt: skip
    main.add_command(command)


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


@main.command(cls=Reporting)
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
) -> Answer:  # fmt: skip
    """Measure Tagloom against its ablations and plain methods on labelled pictures."""
    from tagloom.evaluate import REPORT, TABLE, Plan, seconds_of
    from tagloom.evaluate import evaluate as run

    prices = seconds_of(effort_seconds)
    effort = effort or bool(effort_seconds)
    try:
        shares = tuple(float(share) for share in gold.split(","))
    except ValueError as wrong:
        raise UsageError(f"--gold {gold!r} is not a list of shares such as 0,0.1") from wrong
    plan = Plan(data, out, shares, seeds, methods or None, pictures, effort, prices, config)
    results, tables = run(plan, settings(), click.echo)
    tell("\n" + tables, f"\nreport: {out / REPORT}")
    return Answer({
        "report": out / REPORT, "tables": out / TABLE, "results": [asdict(result) for result in results],
    })  # fmt: skip


@main.command("train-encoders", cls=Reporting)
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
) -> Answer:  # fmt: skip
    """Train the encoders themselves on labelled pictures, and write them as new encoders.

    What is trained are the encoders that the settings name. Nothing that runs is changed: set what is printed at the
    end for backend and workers, and all items are encoded anew.
    """
    from tagloom.train_encoders import Plan
    from tagloom.train_encoders import run as train

    if not (image or text):
        raise UsageError("say which encoder to train: --image, --text, or both")
    names = train(Plan(data, out, image, text, epochs, gold, seed, pictures, config), settings(), click.echo)
    tell("use them by:", *(f"{variable}={name}" for variable, name in names.items()))
    return Answer({"settings": names})


@main.command(cls=Reporting)
def doctor() -> Answer:
    """Check what Tagloom needs here, with the settings of the backend that runs, and say how to mend what is wrong."""
    from tagloom.doctor import findings
    from tagloom_base.redaction import redacted

    found = []
    for finding in findings():
        shown = replace(finding, text=redacted(finding.text))
        tell(str(shown))
        found.append(shown)
    is_well = all(finding.well for finding in found)
    return Answer({"well": is_well, "findings": [finding.document for finding in found]}, is_well)


@main.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(sorted(SHELL_LINES)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes `tagloom` in SHELL: bash, zsh or fish.

    On stderr it prints the line to put into the shell's own file, which loads the script in every new shell.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind
    click.echo(kind(context.find_root().command, {}, "tagloom", "_TAGLOOM_COMPLETE").source())
    click.echo(SHELL_LINES[shell], err=True)


if __name__ == "__main__":
    main()
