"""The command `tagloom init`: connect a Label Studio project."""

from dataclasses import asdict

import click

from tagloom.command import Answer, Reporting, settings, tell


@click.command(cls=Reporting)
@click.argument("project")
@click.option(
    "--url",
    default="",
    help="Address at which Label Studio reaches this backend; without it, where the backend listens on this machine.",
)
def init(project: str, url: str) -> Answer:
    """Connect the Label Studio project PROJECT to this backend.

    PROJECT is its id, its title or how that begins, or connection/id where TAGLOOM_CONNECTIONS names several Label
    Studios. Its labelling config is checked, the ML backend and its webhook are made or mended, and a real event, which
    changes nothing, proves that labels arrive. It may be run again at any time.
    """
    from tagloom.connecting import connect
    from tagloom_base.redaction import redacted

    return Answer(asdict(connect(settings(), project, url, lambda line: tell(redacted(line)))))
