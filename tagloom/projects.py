"""The commands about projects that Tagloom knows: their status, their versions, and work that is asked for."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tagloom.command import Answer, Reporting, opened_store, settings, tell
from tagloom.progress import progress
from tagloom_base.errors import UserError

if TYPE_CHECKING:
    from store.projects import Project
    from store.store import Store
    from worker.operating import Asked
    from worker.queue import Kind

# Seconds between two looks at work that is waited for.
LOOK_S = 0.5


def project_option(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the option that names a project."""
    words = "Project key, title or Label Studio's id, or how one of these begins, where there are several projects."
    return click.option("--project", default="", help=words)(command)


@click.command(cls=Reporting)
@click.argument("project", default="")
def status(project: str) -> Answer:
    """Tell how the projects are doing: versions, gold that waits, failures. Of one PROJECT all that /status holds.

    The backend is asked; while it is away, the database tells the same, but not what the backend has in memory.
    """
    from tagloom import operate
    from tagloom.status import lines
    from tagloom.status import status as ask

    with opened_store() as store:
        found = operate.named(store, project) if project else store.projects.all()
        told = ask(settings(), store, found)
    tell(*lines(told, is_one=bool(project)))
    return Answer(told.document)


@click.command(cls=Reporting)
@project_option
def versions(project: str) -> Answer:
    """List versions: which serves, which were refused and why. Without --project those of all projects."""
    from tagloom import operate

    with opened_store() as store:
        found = operate.named(store, project)
        tables = ["\n".join(operate.version_lines(store, one)) for one in found]
        document = {"projects": [operate.version_document(store, one) for one in found]}
    tell("\n\n".join(tables))
    return Answer(document)


@click.command(cls=Reporting)
@click.argument("version")
@project_option
def promote(version: str, project: str) -> Answer:
    """Make VERSION serve, whatever the promotion gate said. The beginning of its name is enough, such as v6."""
    from tagloom import operate
    from worker.promotion.choosing import promote as serve

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        return _serving(chosen, serve(store, chosen.key, version))


@click.command(cls=Reporting)
@project_option
def rollback(project: str) -> Answer:
    """Go back to the version that served before (and, asked again, forth)."""
    from tagloom import operate
    from worker.promotion.choosing import roll_back

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        return _serving(chosen, roll_back(store, chosen.key))


@click.command(cls=Reporting)
@click.argument("project")
@click.option("--wait", is_flag=True, help="Follow it until it is done.")
def train(project: str, wait: bool) -> Answer:
    """Start a training of PROJECT, as Start training in Label Studio does: also without new gold.

    A worker compares the project with Label Studio first, and then trains. A new version serves only if the promotion
    gate lets it.
    """
    from worker.operating import start_training
    from worker.queue import Kind

    with opened_store() as store:
        chosen = _there(store, project)
        before = {entry.version for entry in store.versions.list(chosen.key)}
        answer = _asked(store, chosen, Kind.TRAIN, start_training, wait)
        if not wait:
            return answer
        made = [entry for entry in store.versions.list(chosen.key) if entry.version not in before]
        failure = _there(store, chosen.key).failure
    for entry in reversed(made):
        tell(f"{entry.version} is {entry.state}: {entry.reason}")
    if failure:
        tell(failure)
    elif not made:
        tell("no new version: there is no gold to train on, or it teaches nothing new; the worker's log says which")
    shown = ("version", "state", "reason", "metrics")
    versions = [{name: getattr(entry, name) for name in shown} for entry in made]
    return Answer({**answer.document, "versions": versions, "failure": failure}, is_well=not failure)


@click.command(cls=Reporting)
@click.argument("project")
@click.option("--wait", is_flag=True, help="Follow it until it is done.")
def reconcile(project: str, wait: bool) -> Answer:
    """Compare PROJECT with Label Studio at once, and repair what webhooks have missed. A worker does it."""
    from tagloom import operate
    from worker.operating import start_reconcile
    from worker.queue import Kind

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        answer = _asked(store, chosen, Kind.RECONCILE, start_reconcile, wait)
        after = store.projects.get(chosen.key)
    if wait and after and after.gone_at:
        tell("Label Studio has no such project: it rests until it is heard of again")
    return answer


@click.command(cls=Reporting)
@project_option
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="Lines to show.")
def doubtful(project: str, most: int) -> Answer:
    """List gold labels that the model, its neighbours and the cues all speak against, as the last training found them.

    The model that was asked has not seen the item (out-of-fold answers). Doubts that somebody dismissed on the pages
    are left out. Nothing is changed: correct in Label Studio what is wrong.
    """
    from labelstudio.project import ProjectKey
    from labelstudio.sites import connections_of
    from tagloom import operate

    with opened_store() as store:
        chosen = operate.chosen(store, project)
        found = [kept.doubt for kept in store.doubts.of(chosen.key) if not kept.dismissed_at]
    connection = connections_of(settings().studios).get(ProjectKey.parse(chosen.key).connection)
    url = connection.url if connection else ""
    rows = operate.doubt_rows(found[:most], chosen, url)
    tell(*operate.doubt_lines(rows, chosen))
    return Answer({"project": chosen.key, "doubtful": rows, "found": len(found)})


@click.command(cls=Reporting)
@project_option
@click.option("--unlabelled", is_flag=True, help="Only tasks that nobody has labelled.")
def predict(project: str, unlabelled: bool) -> Answer:
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
    with open_workplace(settings()) as workplace, operate.told(), progress("predictions", "tasks") as moved:

        def show(report: Any) -> None:
            moved(report["done"], report["total"])

        repaired = repair(workplace, chosen, NeverEnds(), reading_s=30.0)
        done = refresh(workplace, chosen, NeverEnds(), show, Scope(unlabelled_only=unlabelled))
        lines = picture_lines(workplace.store, chosen)
    tell(f"{done}, {repaired} rewritten that had been made without their picture", *lines)
    return Answer({"project": chosen.key, **asdict(done), "repaired": repaired, "pictures": lines})


@click.command(cls=Reporting)
@project_option
@click.option("--remove", is_flag=True, help="Take the columns out of all tasks again.")
def columns(project: str, remove: bool) -> Answer:
    """Write confidence, doubts and order into the tasks' data: columns of Label Studio's Data Manager.

    With TAGLOOM_COLUMNS the worker does this by itself for each version; this does it once, for one project. Only what
    differs is written, and what people have put into these columns stays.
    """
    from tagloom import operate
    from worker.predictions import columns as filled
    from worker.watch import NeverEnds
    from worker.workplace import open_workplace

    if remove and settings().versions.columns:
        raise UserError("TAGLOOM_COLUMNS would write them again: set it to false for all workers first")
    with opened_store() as store:
        chosen = operate.chosen(store, project)
    work = filled.remove if remove else filled.write
    with open_workplace(settings()) as workplace, operate.told(), progress("columns", "tasks") as moved:
        done = work(workplace, chosen, NeverEnds(), lambda report: moved(report["done"], report["total"]))
    if not remove and not done.tasks:
        raise UserError(
            f"no answer of the version that serves {chosen.key} is kept yet: a worker keeps them; try later"
        )
    tell(str(done))
    return Answer({"project": chosen.key, **asdict(done)})


def _serving(project: "Project", version: str) -> Answer:
    tell(f"serving: {version}")
    return Answer({"project": project.key, "serving": version})


def _there(store: "Store", name: str) -> "Project":
    """Return the project that a name means. UserError where Label Studio does not have it: no training runs for it."""
    from tagloom import operate

    found = operate.chosen(store, name)
    if found.gone_at:
        raise UserError(
            f"Label Studio has no project {found.key} any more, so no training runs for it: `tagloom reconcile` looks "
            "again"
        )
    return found


def _asked(store: "Store", project: "Project", kind: "Kind", start: "Callable[..., Asked]", wait: bool) -> Answer:
    """Ask a worker for work; with ``wait`` return when it is done, else at once."""
    from redis.exceptions import RedisError

    from worker.following import NAMES, Following
    from worker.queue import count_workers

    chosen, work = settings(), f"{NAMES[kind]} of {project.key}"
    following = Following(chosen, store, project.key, kind)
    asked = start(chosen, store, project.key)
    try:
        workers = count_workers(chosen)
    except RedisError:
        workers = 0
    if not asked.is_queued:
        state = "noted; Redis does not answer, so a worker begins when it does and a backend runs"
    elif not workers:
        state = f"noted; no worker listens to {chosen.work.queue}: start one, `tagloom doctor` says how"
    else:
        state = "asked for"
    if wait and not workers:
        raise UserError(f"{work}: {state}; it can't be waited for")
    if wait:
        with progress(NAMES[kind], "steps") as moved:
            while not (look := following.look(asked)).is_done:
                moved(look.done, look.total, look.stage or "waiting for a worker")
                time.sleep(LOOK_S)
        state = "done"
    tell(f"{work}: {state}")
    return Answer({"project": project.key, "queued": asked.is_queued, "workers": workers, "done": wait})
