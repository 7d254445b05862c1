"""What is wrong with a project, or with the whole backend, and what a person can do about it."""

from collections.abc import Iterator
from dataclasses import dataclass

from backend.pages.frame import Visit
from labelstudio.config import ConfigError
from store.projects import Project
from worker.pictures import picture_lines
from worker.shared_settings import differences, workers_apart


@dataclass(frozen=True)
class Problem:
    """What is wrong, in a few words; what was said of it, in English as in the log; and what to do, if that does not.

    ``name`` is the project's title, or empty.
    """

    title: str
    said: str
    advice: str = ""
    name: str = ""


def problems_of(visit: Visit, project: Project) -> list[Problem]:
    """Return the problems of one project."""
    text, name = visit.text, visit.title(project)
    return [
        Problem(text(f"wrong_{kind}"), said, text(f"advice_{kind}") if text.has(f"advice_{kind}") else "", name)
        for kind, said in _found(visit, project)
    ]


def common_problems(visit: Visit) -> list[Problem]:
    """Return the problems that are of no project: settings that differ, sources of others in trouble."""
    service, text = visit.pages.service, visit.text
    apart = workers_apart(service.settings, service.store, service.shared)
    # Without the values: they may be of another connection.
    said = [line for worker in apart for line in differences(service.shared, worker, values=False)]
    found = [Problem(text("wrong_settings"), line) for line in said]
    for source in service.store.sources.all():
        for trouble in source.troubles.values():
            found.append(Problem(text("wrong_source", name=source.name), trouble, text("advice_source")))
    return found


def _found(visit: Visit, project: Project) -> Iterator[tuple[str, str]]:
    """Yield the kind of each problem, which names its texts, and what was said of it."""
    service = visit.pages.service
    if project.gone_at:
        yield "gone", ""
    if project.failure:
        yield "training", project.failure
    engine = service.engine.result() if service.engine.done() and not service.engine.exception() else None
    if engine and (refusal := engine.refusals.get(project.key)):
        yield "version", f"{refusal.version}: {refusal.reason}"
    current = service.store.versions.current(project.key)
    if current and current.note:
        yield "note", current.note
    for line in picture_lines(service.store, project):
        yield "pictures", line
    try:
        left_out = service.config(project.label_config, project.industry_keys).left_out
    except ConfigError as error:
        yield "config", str(error)
    else:
        for control in left_out:
            yield "left_out", str(control)
