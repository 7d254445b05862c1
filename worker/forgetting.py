"""Forget a project: delete all that Tagloom keeps of it, and nothing that another project uses.

A mark (`worker.forgotten`) stands from before the first deletion, so that a forget that was killed is completed: by the
next `tagloom forget`, or by the job that the timer wakes. If Label Studio mentions the project again after its rows are
deleted, it is a new one, made at another time than the mark says, and its mark is dropped.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labelstudio.config import ConfigError
from labelstudio.presence import project_there
from labelstudio.project import ProjectKey, file_name
from labelstudio.tasks import item_key, reference_of
from model.boxes import described
from model.boxes.roles import RoleReader
from model.features.cache import FeatureCache
from model.features.said import SILENCE
from store.leases import lease_name
from store.projects import Project
from tagloom_base.groups import PathSettings
from worker.forgotten import DAY_S, Mark
from worker.labels import project_lexicon
from worker.queue import Kind
from worker.said import said_of
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Projects that are looked up to see that the Label Studio that answers is the right one.
MOST_WITNESSES = 20


@dataclass(frozen=True)
class Holdings:
    """What Tagloom keeps of a project: rows by table, and files and their bytes by folder.

    ``features`` are those that no other project uses. ``unclear`` names a project whose features cannot be told apart
    from those of others, because its labelling config cannot be read; then all features stay.
    """

    rows: Mapping[str, int]
    files: Mapping[str, tuple[int, int]]
    features: tuple[int, int]
    unclear: str = ""


def holdings(workplace: Workplace, project: Project) -> Holdings:
    """Return what `forget` would delete of a project."""
    unclear, found = "", (0, 0)
    try:
        found = _size(_unused(workplace, project.key))
    except _UnclearError as error:
        unclear = str(error)
    folders = _folders(workplace.settings.paths, project.key)
    files = {name: _size(_files(folder)) for name, folder in folders.items()}
    kept = {name: size for name, size in files.items() if size[0]}
    return Holdings(workplace.store.removal.rows(project.key), kept, found, unclear)


def forget(workplace: Workplace, project: Project) -> bool:
    """Delete all that is kept of a project. Return False if files are left, which a later call of `complete` deletes.

    Raises OSError if the mark cannot be written; then nothing is deleted.
    """
    mark = Mark(project.key, project.created_at, workplace.store.now())
    mark.write(workplace.settings.paths.home)
    return complete(workplace, mark)


def complete(workplace: Workplace, mark: Mark) -> bool:
    """Do what is left to do for a mark, and delete the mark when its time is over. Return False if files are left."""
    store, paths = workplace.store, workplace.settings.paths
    project = store.projects.get(mark.key)
    if project is not None and project.created_at == mark.born:
        # The timer's pause stays: a forget that fails below would else be woken again every 3 s.
        store.removal.revoke(mark.key, besides=lease_name(Kind.FORGET, mark.key))
        _delete_features(workplace, project, mark.at)
        # Deleted before the rows: what returned after a kill could else continue from a training of before.
        _delete_folders(paths, mark.key)
        store.removal.remove(mark.key, mark.born)
    elif project is not None:
        mark.drop(paths.home)
        return True
    # A training that had not noticed yet may have written once more.
    if not _delete_folders(paths, mark.key):
        return False
    if not mark.is_done:
        replace(mark, is_done=True).write(paths.home)
    elif mark.is_due(store.now()):
        store.removal.drop_leases(mark.key)
        mark.drop(paths.home)
    return True


def by_rule(workplace: Workplace, project_key: str) -> str:
    """Complete a forget of the project, or forget it if TAGLOOM_FORGET_DAYS says so; return one line about the result.

    Label Studio is asked again first. Raises LabelStudioError if it does not answer.
    """
    store, settings = workplace.store, workplace.settings
    if mark := Mark.read(settings.paths.home, project_key):
        return "forgotten" if complete(workplace, mark) else "files are left, which are deleted later"
    project, days = store.projects.get(project_key), settings.work.forget_days
    if project is None or not days or project_key not in store.projects.gone_for(days * DAY_S):
        return "kept: it is not due"
    client, key = workplace.client_of(project), ProjectKey.parse(project_key)
    if not client.connection.url:
        return "kept: its Label Studio is not configured"
    if project_there(client, key) is not None:
        store.projects.note_presence(project_key, is_there=True)
        return "kept: Label Studio has it again"
    # With a wrong LABEL_STUDIO_URL every project would seem to be deleted.
    others = [ProjectKey.parse(other.key) for other in store.projects.all() if not other.gone_at]
    witnesses = [other for other in others if other.connection == key.connection][:MOST_WITNESSES]
    if all(project_there(client, other) is None for other in witnesses):
        LOG.warning(
            "%s is kept: %s has none of the projects that Tagloom knows, so it may be the wrong one; "
            "`tagloom forget %s` forgets it all the same",
            *(project_key, client.connection.url, project_key),
        )
        return "kept: no known project shows that this is the right Label Studio"
    is_whole = forget(workplace, project)
    LOG.warning("%s %s is forgotten: Label Studio has not had it for %g days", project_key, project.title, days)
    return "forgotten" if is_whole else "forgotten; files are left, which are deleted later"


class _UnclearError(Exception):
    """The items of a project cannot be told, because its labelling config cannot be read; the message is its key."""


def _items(workplace: Workplace, project: Project) -> Iterator[str]:
    """Yield the keys of the project's items."""
    try:
        config = workplace.config_of(project)
    except ConfigError as error:
        raise _UnclearError(project.key) from error
    key = ProjectKey.parse(project.key)
    for task in workplace.store.tasks.all(project.key):
        yield item_key(key.connection, reference_of(config, task.payload(), key))


def _unused(workplace: Workplace, project_key: str) -> Iterator[Path]:
    """Yield the files of features that no task of another project uses. Raises _UnclearError."""
    others = [project for project in workplace.store.projects.all() if project.key != project_key]
    used = {key for other in others for key in _items(workplace, other)}
    for file in workplace.settings.paths.features.glob("*/??/*.safetensors"):
        if file.stem not in used:
            yield file


def _delete_features(workplace: Workplace, project: Project, before: float) -> None:
    """Delete features that no other project uses, with the descriptions made from them.

    Files that were written after ``before`` stay: they may be of a task that is not in the store yet.
    """
    paths = workplace.settings.paths
    try:
        reader = RoleReader(project_lexicon(workplace.settings, project.key, workplace.config_of(project)))
    except ConfigError:
        reader = None  # such a project has no descriptions
    try:
        for file in _unused(workplace, project.key):
            if file.stat().st_mtime > before:
                continue
            features = FeatureCache(paths.features, file.parents[1].name).get(file.stem) if reader else None
            if features is not None and reader is not None:
                said = said_of(workplace.store.source_opinions, project.key, [file.stem])
                # What is described with the boxes of other sources is another description.
                for one in (features, replace(features, said=said.get(file.stem, SILENCE))):
                    described.forgotten(paths.descriptions, one, reader)
            file.unlink(missing_ok=True)
    except _UnclearError as error:
        LOG.warning("features stay: the labelling config of %s cannot be read, so it is not clear which it uses", error)


def _folders(paths: PathSettings, project_key: str) -> dict[str, Path]:
    """Return the files and folders that belong to one project, by what they hold."""
    name = file_name(project_key)
    return {
        "checkpoints": paths.checkpoints / project_key,
        "runs": paths.runs / name,
        "neighbours": paths.neighbours / f"{name}.safetensors",
        "search": paths.search / name,
        "look-alikes": paths.look_alikes / f"{name}.safetensors",
    }


def _delete_folders(paths: PathSettings, project_key: str) -> bool:
    """Delete the project's files and folders; return whether none is left."""
    for path in _folders(paths, project_key).values():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return not any(path.exists() for path in _folders(paths, project_key).values())


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all files below a folder."""
    yield from (file for file in (path, *path.rglob("*")) if file.is_file())


def _size(files: Iterator[Path]) -> tuple[int, int]:
    """Return the number of files and their bytes."""
    sizes = [file.stat().st_size for file in files]
    return len(sizes), sum(sizes)
