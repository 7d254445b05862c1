"""The operator's work with a project's versions: list them, promote one, or go back to an earlier one."""

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
from tagloom_base.groups import PathSettings

if TYPE_CHECKING:
    from worker.training.doubtful import Doubt

_HEADINGS = ("version", "state", "phase", "gold", "weak", "macro-F1", "made (UTC)", "")
_DOUBT_HEADINGS = ("task", "label", "gold says", "model says", "")


@contextmanager
def opened(paths: PathSettings) -> Iterator[Store]:
    """Yield the store of these settings, and close it afterwards. UserError where there is none: none is made."""
    store = Store.open(paths.database, makes=False)
    try:
        yield store
    finally:
        store.close()


def chosen(store: Store, key: str) -> Project:
    """Return the project with this key, or the only project for an empty key. UserError lists the keys otherwise."""
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
    """Turn errors of Label Studio and of labelling configs into a UserError, which is shown as one line."""
    try:
        yield
    except (LabelStudioError, ValueError) as wrong:
        raise UserError(str(wrong)) from wrong


def shown(say: Callable[[str], None]) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that says the progress as a line: the number of finished tasks and of all tasks."""

    def show(progress: Mapping[str, Any]) -> None:
        say(f"{progress['done']} of {progress['total']} tasks")

    return show


def version_lines(store: Store, project: Project) -> list[str]:
    """Return a table of all versions, newest first, with reasons, and what the newest trained version has learned."""
    versions = store.versions.list(project.key)
    newest = next((version for version in versions if version.metrics.get("source_accuracy")), None)
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for version in versions:
        left = max(version.due_at - store.now(), 0.0)
        waits = f"waits {left:.0f} s, so that versions do not churn" if version.state is State.ACCEPTED else ""
        score = version.metrics.get("macro_f1")
        made = datetime.fromtimestamp(version.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        reasons = "; ".join(part for part in (version.note, version.reason, waits) if part)
        f1 = f"{score:.3f}" if isinstance(score, float) else "-"
        counts = str(version.gold_count), str(version.weak_count)
        rows.append((version.version, str(version.state), version.phase, *counts, f1, made, reasons))
    learned = _learned_lines(newest) if newest else []
    notes = [f"in {count} tasks with gold: {note}" for note, count in sorted(project.gold_notes.items())]
    return [f"{project.key}  {project.title}".rstrip(), *_table(rows), *learned, *(["", *notes] if notes else [])]


def doubt_lines(doubts: "Sequence[Doubt]", project: Project, label_studio_url: str) -> list[str]:
    """Return a table of doubtful gold labels, with the address of each task, and what to do."""
    if not doubts:
        return [f"{project.key}: no gold that model, neighbours and cues all speak against"]
    base = f"{label_studio_url.rstrip('/')}/projects/{ProjectKey.parse(project.key).id}/data?task="
    rows: list[tuple[str, ...]] = [_DOUBT_HEADINGS]
    for doubt in doubts:
        address = f"{base}{doubt.task_id}" if label_studio_url else ""
        given = "yes" if doubt.given else "no"
        rows.append((str(doubt.task_id), doubt.label, given, f"{doubt.probability:.0%}", address))
    return [*_table(rows), "Nothing is changed by itself: correct in Label Studio what is wrong."]


def promote(store: Store, project: Project, version: str) -> str:
    """Make a version serve, even if promotion refused it, and return its name. UserError when it cannot serve."""
    try:
        return store.versions.override(project.key, version).version
    except ValueError as refused:
        raise UserError(str(refused)) from refused


def roll_back(store: Store, project: Project) -> str:
    """Make the version serve that served before the present one, and return its name. UserError when none did."""
    served = [version for version in store.versions.list(project.key) if version.state == State.SUPERSEDED]
    if not served:
        raise UserError(f"{project.key} has no earlier version to go back to: `tagloom versions` lists them")
    return promote(store, project, max(served, key=lambda version: version.promoted_at).version)


def _learned_lines(version: Version) -> list[str]:
    """Return the accuracy of each source on gold, and the labels that cannot be learned from the gold yet."""
    headings = (f"{version.version}: sources right on gold", *version.labels, "")
    rows = []
    for source, accuracy in version.metrics["source_accuracy"].items():
        # The name of a cue begins with its only label. All other sources have an opinion on every label.
        own = source.partition(": ")[0]
        labels = {own} if own in version.labels else {*version.labels}
        cells = (f"{accuracy[label]:.2f}" if label in labels else "" for label in version.labels)
        rows.append((source, *cells, ""))
    missing = version.metrics["unlearnable"].items()
    return ["", *_table([headings, *rows]), *(f"{label} cannot be learned yet: {why}" for label, why in missing)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with columns of equal width; the last column is not padded."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
