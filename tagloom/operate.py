"""What an operator does with a project's versions: look, promote one, go back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.projects import Project
from store.store import Store
from store.versions import State, Version
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from worker.training.doubtful import Doubt

_HEADINGS = ("version", "state", "phase", "gold", "weak", "macro-F1", "made (UTC)", "")
_DOUBT_HEADINGS = ("task", "label", "gold says", "model says", "")


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The store of these settings, closed afterwards."""
    store = Store.open(settings.paths.database)
    try:
        yield store
    finally:
        store.close()


def chosen(store: Store, key: str) -> Project:
    """The project of this key; without one the only project. Raises UserError that lists the keys there are."""
    projects = store.projects.all()
    found = [project for project in projects if key in ("", project.key)]
    if len(found) == 1:
        return found[0]
    if not projects:
        raise UserError("no project is known yet: connect the backend in Label Studio's project settings (Model)")
    keys = ", ".join(project.key for project in projects)
    raise UserError(f"choose one of these projects with --project: {keys}")


@contextmanager
def told() -> Iterator[None]:
    """What Label Studio or a labelling config is to blame for, as a UserError of one line."""
    try:
        yield
    except (LabelStudioError, ValueError) as wrong:
        raise UserError(str(wrong)) from wrong


def shown(say: Callable[[str], None]) -> Callable[[Mapping[str, Any]], None]:
    """Progress as lines: how many tasks of how many."""

    def show(progress: Mapping[str, Any]) -> None:
        say(f"{progress['done']} of {progress['total']} tasks")

    return show


def version_lines(store: Store, project: Project) -> list[str]:
    """A table of all versions, newest first, with why each is what it is, and what the newest trained one learned."""
    versions = store.versions.list(project.key)
    newest = next((version for version in versions if version.metrics.get("source_accuracy")), None)
    rows = [_HEADINGS, *(_row(version, store.now()) for version in versions)]
    learned = _learned_lines(newest) if newest else []
    notes = [f"in {count} tasks with gold: {note}" for note, count in sorted(project.gold_notes.items())]
    return [f"{project.key}  {project.title}".rstrip(), *_table(rows), *learned, *(["", *notes] if notes else [])]


def doubt_lines(doubts: "Sequence[Doubt]", project: Project, label_studio_url: str) -> list[str]:
    """A table of doubtful gold with the address where each can be looked at, and what to do with it."""
    if not doubts:
        return [f"{project.key}: no gold that model, neighbours and cues all speak against"]
    base = f"{label_studio_url.rstrip('/')}/projects/{ProjectKey.parse(project.key).id}/data?task="
    rows = [_DOUBT_HEADINGS, *(_doubt_row(doubt, base if label_studio_url else "") for doubt in doubts)]
    return [*_table(rows), "Nothing is changed by itself: correct in Label Studio what is wrong."]


def promote(store: Store, project: Project, version: str) -> str:
    """Make a version serve, whatever the gate said; its name. Raises UserError when it can't serve."""
    try:
        return store.versions.override(project.key, version).version
    except ValueError as refused:
        raise UserError(str(refused)) from refused


def roll_back(store: Store, project: Project) -> str:
    """Make the version serve that served before the present one; its name. Raises UserError when there is none."""
    served = [version for version in store.versions.list(project.key) if version.state == State.SUPERSEDED]
    if not served:
        raise UserError(f"{project.key} has no earlier version to go back to: `tagloom versions` lists them")
    return promote(store, project, max(served, key=lambda version: version.promoted_at).version)


def _learned_lines(version: Version) -> list[str]:
    """How often each source is right on gold where it speaks, and labels that gold says nothing of yet."""
    headings = (f"{version.version}: sources right on gold", *version.labels, "")
    rows = [
        (
            source,
            *(f"{accuracy[label]:.2f}" if _speaks_of(source, label, version) else "" for label in version.labels),
            "",
        )
        for source, accuracy in version.metrics["source_accuracy"].items()
    ]
    missing = version.metrics["unlearnable"].items()
    return ["", *_table([headings, *rows]), *(f"{label} cannot be learned yet: {why}" for label, why in missing)]


def _speaks_of(source: str, label: str, version: Version) -> bool:
    """A cue is named after the one label that it speaks of; all other sources speak of all."""
    of = source.partition(": ")[0]
    return of == label or of not in version.labels


def _row(version: Version, at: float) -> tuple[str, ...]:
    left = max(version.due_at - at, 0.0)
    waits = f"waits {left:.0f} s, so that versions do not churn" if version.state is State.ACCEPTED else ""
    score = version.metrics.get("macro_f1")
    return (
        version.version,
        str(version.state),
        version.phase,
        str(version.gold_count),
        str(version.weak_count),
        f"{score:.3f}" if isinstance(score, float) else "-",
        datetime.fromtimestamp(version.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "; ".join(part for part in (version.note, version.reason, waits) if part),
    )


def _doubt_row(doubt: "Doubt", base: str) -> tuple[str, ...]:
    said = "yes" if doubt.given else "no"
    address = f"{base}{doubt.task_id}" if base else ""
    return str(doubt.task_id), doubt.label, said, f"{doubt.probability:.0%}", address


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [_line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join([*cells, row[-1]]).rstrip()
