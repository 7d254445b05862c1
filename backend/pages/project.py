"""The pages of one project: the project itself, one of its versions, and the question before another one serves."""

from fastapi import Response

from backend.pages.cards import answered, cards_of, overtaken
from backend.pages.curve import curve_of
from backend.pages.figures import classes_of, compared, is_measured, score_of, sources_of
from backend.pages.frame import NotThere, Visit
from backend.pages.now import now_of
from backend.pages.problems import problems_of
from store.gallery import Wanted
from store.projects import Project
from store.versions import State, Version
from tagloom_base.errors import UserError
from worker.promotion.choosing import promote, served_before

# Most versions that the table of a project shows, the newest.
MOST = 50
# Most pictures that show what the last version changed.
CHANGED = 12
# Most changes of the served version that are listed.
SWITCHES = 20


def project_page(visit: Visit) -> Response:
    """Return the page of a project."""
    project, store = visit.project(), visit.pages.service.store
    versions, switches = store.versions.list(project.key), store.versions.switches(project.key)
    serving = next((version for version in versions if version.state is State.CURRENT), None)
    answers, before = answered(visit, project)
    changed = Wanted(changed=True)
    places = store.gallery.page(project.key, answers, changed, CHANGED)
    return visit.page(
        "project.html.jinja",
        project=project,
        title=visit.title(project),
        now=now_of(visit, [project]),
        problems=problems_of(visit, project),
        serving=serving,
        before=served_before(versions),
        since=switches[-1] if switches else None,
        score=score_of(serving.metrics) if serving else "",
        tasks=store.tasks.count(project.key),
        answers=answers,
        answers_before=before,
        newer=overtaken(visit, project, answers),
        changed=cards_of(visit, project, answers, [place.task_id for place in places], before),
        changed_count=store.gallery.count(project.key, answers, changed),
        doubts=store.doubts.count(project.key),
        curve=curve_of(versions, switches, visit.text),
        classes=classes_of(serving, store.gallery.given_unlabelled(project.key, answers)) if serving else [],
        sources=sources_of(serving) if serving else [],
        notes=[*project.gold_notes.items()],
        versions=[(version, score_of(version.metrics)) for version in versions[:MOST]],
        switches=[(names.get(one.number, "?"), one) for one in reversed(switches[-SWITCHES:])]
        if (names := {version.number: version.version for version in versions})
        else [],
    )


def version_page(visit: Visit) -> Response:
    """Return the page of a version: what the gate saw."""
    project = visit.project()
    version = _version(visit, project)
    metrics = version.metrics
    return visit.page(
        "version.html.jinja",
        project=project,
        title=visit.title(project),
        version=version,
        compared=compared(metrics),
        is_measured=is_measured(metrics),
        verdict=metrics.get("verdict", version.reason),
        classes=classes_of(version, {}),
        sources=sources_of(version),
        unlearnable=[*metrics.get("unlearnable", {}).items()],
        may_serve=_may_serve(version),
    )


def question(visit: Visit) -> Response:
    """Return the question whether a version shall serve. Raises NotThere for one that cannot."""
    project = visit.project()
    version = _version(visit, project)
    if not _may_serve(version):
        raise NotThere
    current = visit.pages.service.store.versions.current(project.key)
    return visit.page(
        "question.html.jinja", project=project, title=visit.title(project), version=version, current=current
    )


def choose(visit: Visit) -> Response:
    """Make a version serve, as the person chose, and lead to the project."""
    visit.require_form(visit.person.id)
    project = visit.project()
    version = _version(visit, project)
    try:
        promote(visit.pages.service.store, project.key, version.version, visit.person.person)
    except UserError as refused:
        return visit.problem(409, "cannot_serve", "cannot_serve_advice", str(refused))
    return visit.lead(f"project?id={project.key.partition('/')[2]}")


def _version(visit: Visit, project: Project) -> Version:
    """Return the version that the address or the form names. Raises NotThere."""
    name = visit.asked("version")
    found = next((one for one in visit.pages.service.store.versions.list(project.key) if one.version == name), None)
    if found is None:
        raise NotThere
    return found


def _may_serve(version: Version) -> bool:
    return version.state not in (State.CURRENT, State.PRUNED)
