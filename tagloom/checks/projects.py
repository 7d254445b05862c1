"""Checks of what is noted of projects: settings that differ between processes, labels, and pictures."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from tagloom.checks.finding import Finding, good, wrong
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from store.store import Store

LABELS_TOLD = 20
"""At most so many labels of one project are told."""


@contextmanager
def looked_up(settings: Settings) -> Iterator["Store"]:
    """Yield the store. Raises UserError in few words where it cannot be opened: another check has said why."""
    from tagloom.operate import opened

    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened(settings.paths))
        except UserError as unopened:
            raise UserError("can't be looked up without the database: mend that first") from unopened
        yield store


def shared_settings(settings: Settings) -> Iterator[Finding]:
    """Check that each worker that has done a job has the backend's values of the settings that both must share."""
    from worker.shared_settings import backend_of, differences, workers_apart

    with looked_up(settings) as store:
        backend = backend_of(store)
        if backend is None:
            yield good("no backend runs")
            return
        apart = workers_apart(settings, store, backend.settings)
    lines = [line for worker in apart for line in differences(backend.settings, worker)]
    yield from map(wrong, lines or ())
    if not lines:
        yield good("the same for the backend and the workers that have done a job")


def labels(settings: Settings) -> Iterator[Finding]:
    """Tell which labels are not known by name, what they are taken for, and by what; none of it is wrong."""
    from labelstudio.config import ConfigError, LabelConfig
    from model.lexicon.names import NAME, meanings
    from worker.labels import kept_guesses
    from worker.lexicon import read_lexicon

    lexicon = read_lexicon(settings.training.lexicon)
    told = 0
    with looked_up(settings) as store:
        projects = [project for project in store.projects.all() if not project.gone_at]
    for project in projects:
        try:
            names = LabelConfig.parse(project.label_config, project.industry_keys).names
        except ConfigError:
            continue  # the backend refuses it, and says why
        guesses = kept_guesses(settings.paths.checkpoints, project.key, lexicon, names)
        unsure = {label: found for label, found in meanings(lexicon, names, guesses).items() if found.by != NAME}
        for label, found in islice(unsure.items(), LABELS_TOLD):
            yield good(f"{project.title or project.key}: {label!r} is {found.told(lexicon)}")
        told += len(unsure)
        if len(unsure) > LABELS_TOLD:
            yield good(f"{project.title or project.key}: and {len(unsure) - LABELS_TOLD} more, which /status lists")
    if not told:
        yield good("all are known by name")


def pictures(settings: Settings) -> Iterator[Finding]:
    """Tell which pictures could not be read and why; wrong is what an operator can put right."""
    from worker.pictures import asks_for_change, picture_lines

    with looked_up(settings) as store:
        found = [(project, picture_lines(store, project)) for project in store.projects.all() if not project.gone_at]
    for project, lines in found:
        for line in lines:
            yield Finding(not asks_for_change(line), f"{project.title or project.key}: {line}")
    if not any(lines for _, lines in found):
        yield good("all that were tried could be read")
