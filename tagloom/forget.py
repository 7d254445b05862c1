"""The command `tagloom forget`: say what goes and what stays, ask, and delete a project from all that Tagloom keeps."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from tagloom.command import Answer, Reporting, settings, tell
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from store.projects import Project
    from tagloom_base.settings import Settings
    from worker.forgetting import Holdings
    from worker.workplace import Workplace


@click.command(cls=Reporting)
@click.argument("project")
@click.option("--dry-run", is_flag=True, help="Only say what would go and what would stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--even-if-it-exists", is_flag=True, help="Also if Label Studio has the project, or does not answer.")
def forget(project: str, dry_run: bool, yes: bool, even_if_it_exists: bool) -> Answer:
    """Delete all that Tagloom keeps of PROJECT: rows, versions, features. It cannot be undone.

    For projects that were deleted in Label Studio. PROJECT is a key such as default/2.1795288797, as `tagloom versions`
    and /status show it, a title or an id, written in full. What other projects use stays. A forget that was killed is
    completed by the next one.
    """
    return run(settings(), project, dry_run=dry_run, is_agreed=yes, even_if_it_exists=even_if_it_exists)


def run(settings: "Settings", key: str, *, dry_run: bool, is_agreed: bool, even_if_it_exists: bool) -> Answer:
    """Forget a project as the command does. Raises UserError if it is refused, and Abort if the answer is no."""
    from tagloom import operate
    from worker import forgetting, forgotten
    from worker.workplace import open_workplace

    with open_workplace(settings) as workplace:
        left = [mark for mark in forgotten.marks(settings.paths.home) if not mark.is_done]
        if not dry_run:
            completed = {mark.key: forgetting.complete(workplace, mark) for mark in left}
            for name, is_whole in completed.items():
                click.echo(f"{name}: an interrupted forget is {'completed' if is_whole else 'not complete yet'}")
            if key in completed and workplace.store.projects.get(key) is None:
                return Answer({"project": key, "forgotten": completed[key], "refused": ""})
        chosen = operate.chosen(workplace.store, key)
        if key.casefold() not in operate.names_of(chosen):
            raise UserError(f"{key!r} is only the beginning of a name: write it in full: {chosen.key} {chosen.title}")
        refusal = "" if even_if_it_exists else refused(workplace, chosen)
        held = forgetting.holdings(workplace, chosen)
        click.echo("\n".join(lines(chosen, held, workplace)))
        told = {"project": chosen.key, "title": chosen.title, "refused": refusal, **_goes(held)}
        if dry_run:
            tell(f"it would be refused: {refusal}" if refusal else "nothing is done yet")
            return Answer({**told, "forgotten": False})
        if refusal:
            raise UserError(refusal)
        if not is_agreed:
            click.confirm("Forget it?", abort=True)
        try:
            is_whole = forgetting.forget(workplace, chosen)
        except OSError as error:
            raise UserError(f"{error.filename} can't be written or deleted ({error.strerror}): run it again") from error
        if not is_whole:
            raise UserError("some files can't be deleted: a job may still write; run the command again")
        tell(f"{chosen.key} is forgotten")
        return Answer({**told, "forgotten": True})


def _goes(held: "Holdings") -> dict[str, Any]:
    files = {name: {"files": count, "bytes": size} for name, (count, size) in held.files.items()}
    if not held.unclear:
        files["features"] = dict(zip(("files", "bytes"), held.features, strict=True))
    return {"rows": held.rows, "files": files}


def refused(workplace: "Workplace", project: "Project") -> str:
    """Return why the project should not be forgotten; empty if Label Studio does not have it."""
    from labelstudio.api import LabelStudioError
    from labelstudio.presence import project_there
    from labelstudio.project import ProjectKey

    anyway = "--even-if-it-exists forgets it all the same"
    try:
        client = workplace.client_of(project)
        if not client.connection.url:
            return f"no Label Studio is configured that could be asked: set LABEL_STUDIO_URL; {anyway}"
        if project_there(client, ProjectKey.parse(project.key)) is None:
            return ""
    except (LabelStudioError, UserError) as unknown:
        return f"it is not known whether Label Studio still has the project ({unknown}); {anyway}"
    return (
        f"Label Studio still has {project.key}: with the next event or opened task it would come back and be learned "
        f"from anew, without its versions; {anyway}"
    )


def lines(project: "Project", held: "Holdings", workplace: "Workplace") -> Iterator[str]:
    """Yield what goes and what stays."""
    yield f"{project.key}  {project.title}".rstrip()
    yield "goes:"
    yield "  rows: " + ", ".join(f"{count} {name}" for name, count in held.rows.items())
    for name, (count, size) in held.files.items():
        yield f"  {name}: {count} files, {size / 1e6:.1f} MB"
    if not held.unclear:
        count, size = held.features
        yield f"  features that no other project uses: {count} files, {size / 1e6:.1f} MB"
    others = [other.key for other in workplace.store.projects.all() if other.key != project.key]
    yield "stays:"
    if held.unclear:
        yield f"  all features: the labelling config of {held.unclear} cannot be read, so it is not clear what it uses"
    yield "  what Label Studio has of it"
    yield f"  other projects, with the events and features that they use: {', '.join(others) or 'none'}"
