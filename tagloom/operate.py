"""Find the project that an operator names, and show its versions and its doubtful gold."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

from backend.pages.figures import sources_of
from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.projects import Project
from store.store import Store
from store.versions import State, Version
from tagloom_base.errors import UserError
from tagloom_base.groups import PathSettings
from tagloom_base.values import without_password
from worker.pictures import picture_lines
from worker.promotion.gate import FEWEST_ITEMS

if TYPE_CHECKING:
    from store.doubts import Doubt

_HEADINGS = ("version", "state", "phase", "gold", "weak", "macro-F1", "measured on", "difference", "made (UTC)", "")
_DOUBT_HEADINGS = ("task", "label", "gold says", "model says", "")


@contextmanager
def opened(paths: PathSettings) -> Iterator[Store]:
    """Yield the store of these settings, and close it afterwards.

    Raises UserError where there is none, since none is made, and when a statement in the block fails for a lock or for
    lack of rights.
    """
    store = Store.open(paths.database, makes=False)
    try:
        yield store
    except OperationalError as error:
        raise UserError(
            f"the database can't be used now ({error.orig}): give this user the right to write it and its folder, or "
            "end what holds its lock, and try again"
        ) from error
    finally:
        store.close()


def place(paths: PathSettings) -> str:
    """Return where these settings look, without a password: the home folder, and the database if it is elsewhere."""
    elsewhere = f" with {without_password(paths.database_url)}" if paths.database_url else ""
    return f"{paths.home.resolve()}{elsewhere}"


def named(store: Store, name: str) -> list[Project]:
    """Return the projects that a name means; all for an empty name.

    A name is a project key, a title, Label Studio's id (``2`` or ``connection/2``), or the beginning of key or title.
    Raises UserError when no project is known, or none has the name.
    """
    projects = store.projects.all()
    if not projects:
        raise UserError("no project is known yet: connect the backend in Label Studio's project settings (Model)")
    wanted = name.casefold()
    exact = [project for project in projects if name and wanted in names_of(project)]
    begun = [project for project in projects if any(own.startswith(wanted) for own in names_of(project))]
    if not (found := exact or begun):
        raise UserError(f"there is no project {name!r}: choose one of these: {_listed(projects)}")
    return found


def chosen(store: Store, name: str) -> Project:
    """Return the project that a name means (see `named`). UserError lists the candidates when there are several."""
    found = named(store, name)
    if len(found) > 1:
        raise UserError(f"choose one of these projects: {_listed(found)}")
    return found[0]


@contextmanager
def told() -> Iterator[None]:
    """Turn errors of Label Studio and of labelling configs into a UserError, which is shown as one line."""
    try:
        yield
    except (LabelStudioError, ValueError) as wrong:
        raise UserError(str(wrong)) from wrong


def version_document(store: Store, project: Project) -> dict[str, Any]:
    """Return what `version_lines` says, for programs; times in unix seconds."""
    shown = ("version", "state", "phase", "reason", "note", "parent", "gold_count", "weak_count", "metrics", "labels",
             "created_at", "promoted_at", "due_at")  # fmt: skip
    return {
        "project": project.key,
        "title": project.title,
        "versions": [{name: getattr(entry, name) for name in shown} for entry in store.versions.list(project.key)],
        "gold_notes": project.gold_notes,
        "picture_notes": store.picture_notes.of(project.key),
        "pictures": picture_lines(store, project),
    }


def version_lines(store: Store, project: Project) -> list[str]:
    """Return a table of all versions, newest first, with reasons; then what the newest learned and what it lacked.

    The figures are the gate's: macro-F1, the gold items it was measured on, and how much better the version was than
    the one that served then, on the same items.
    """
    versions = store.versions.list(project.key)
    newest = next((version for version in versions if version.metrics.get("source_accuracy")), None)
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for version in versions:
        left = max(version.due_at - store.now(), 0.0)
        waits = f"waits {left:.0f} s, so that versions do not churn" if version.state is State.ACCEPTED else ""
        made = datetime.fromtimestamp(version.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        reasons = "; ".join(part for part in (version.note, version.reason, waits) if part)
        counts = str(version.gold_count), str(version.weak_count)
        rows.append((version.version, str(version.state), version.phase, *counts, *_figures(version), made, reasons))
    learned = _learned_lines(newest) if newest else []
    notes = [f"in {count} tasks with gold: {note}" for note, count in sorted(project.gold_notes.items())]
    notes += [f"in {count} pictures: {note}" for note, count in store.picture_notes.of(project.key).items()]
    notes += picture_lines(store, project)
    return [f"{project.key}  {project.title}".rstrip(), *table(rows), *learned, *(["", *notes] if notes else [])]


def doubt_rows(doubts: "Sequence[Doubt]", project: Project, label_studio_url: str) -> list[dict[str, Any]]:
    """Return doubtful gold labels with the address of each task in Label Studio, empty where none is configured."""
    base = f"{label_studio_url.rstrip('/')}/projects/{ProjectKey.parse(project.key).id}/data?task="
    return [
        {
            "task": doubt.task_id,
            "label": doubt.label,
            "gold": doubt.given,
            "probability": doubt.probability,
            "address": f"{base}{doubt.task_id}" if label_studio_url else "",
        }
        for doubt in doubts
    ]


def doubt_lines(doubts: Sequence[Mapping[str, Any]], project: Project) -> list[str]:
    """Return a table of what `doubt_rows` returned, and what to do."""
    if not doubts:
        return [f"{project.key}: no gold that model, neighbours and cues all speak against"]
    rows: list[tuple[str, ...]] = [_DOUBT_HEADINGS]
    for doubt in doubts:
        given = "yes" if doubt["gold"] else "no"
        rows.append((str(doubt["task"]), doubt["label"], given, f"{doubt['probability']:.0%}", doubt["address"]))
    return [*table(rows), "Nothing is changed by itself: correct in Label Studio what is wrong."]


def names_of(project: Project) -> tuple[str, ...]:
    """Return all names of a project, folded so that capitals do not matter."""
    key = ProjectKey.parse(project.key)
    names = project.key, str(key.id), f"{key.connection}/{key.id}", project.title
    return tuple(name.casefold() for name in names if name)


def _listed(projects: Sequence[Project]) -> str:
    return ", ".join(f"{project.key} {project.title}".rstrip() for project in projects)


def _figures(version: Version) -> tuple[str, str, str]:
    """Return macro-F1, what it was measured on, and the paired difference, unless that are too few items to say."""
    items, basis = version.metrics.get("items", 0), version.metrics.get("basis", "")
    if not items:
        return "-", "-", "-"
    if items < FEWEST_ITEMS:
        return "-", f"{items} {basis}, too few", "-"
    score, difference, low = (version.metrics.get(name, 0.0) for name in ("macro_f1", "difference", "lower_bound"))
    return f"{score:.3f}", f"{items} {basis}", f"{difference:+.3f} (at least {low:+.3f}) to {version.parent}"


def _learned_lines(version: Version) -> list[str]:
    """Return the accuracy of each source on gold, and the labels that cannot be learned from the gold yet."""
    headings = (f"{version.version}: sources right on gold", *version.labels, "")
    rows = [(source, *cells, "") for source, cells in sources_of(version)]
    missing = version.metrics["unlearnable"].items()
    return ["", *table([headings, *rows]), *(f"{label} cannot be learned yet: {why}" for label, why in missing)]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with columns of equal width; the last column is not padded."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
