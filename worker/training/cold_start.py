"""Version 0: what serves before anybody has labelled anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model import checkpoint
from model.tagger import Tagger
from model.weak_supervision.lexicon import Lexicon
from store.store import Store
from store.versions import COLD_START, Current, NewVersion
from tagloom.settings import Settings


def ensure_cold_start(
    settings: Settings,
    store: Store,
    project: object,
    space: str,
    labels: Sequence[str],
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    encoders: Mapping[str, str] | None = None,
    instead_of: Current | None = None,
) -> Current:
    """The version that serves the project, made from cues alone when there is none for these labels and this space.

    One that was made from cues alone is also made anew when the lexicon is another than it was then.
    ``project`` is its key. ``names`` are all names that the label config gives each label. ``instead_of`` is a version
    that must not serve any longer. Backend and worker may both call it at once: one of them installs its version, both
    get it.
    """
    key = str(project)
    current = store.versions.current(key)
    lexicon = lexicon_of(settings, names or {})
    may_stay = current is not None and (instead_of is None or current.generation != instead_of.generation)
    if current and may_stay and _fits(settings, current, space, labels, lexicon):
        return current
    number = store.versions.reserve(key) if current else 0
    tagger = Tagger.cold_start(labels, space=space, seed=settings.seed, lexicon=lexicon)
    return _install(settings, store, key, tagger, number, current.generation if current else 0, encoders or {})


def lexicon_of(settings: Settings, names: Mapping[str, Sequence[str]]) -> Lexicon:
    """The built-in lexicon with the setting's file, for labels that also have these ``names``."""
    return lexicon_with(Lexicon.load(settings.lexicon), names)


def lexicon_with(lexicon: Lexicon, names: Mapping[str, Sequence[str]]) -> Lexicon:
    """The lexicon with labels that it does not know as aliases of the kind that one of their other names means."""
    kinds = dict(lexicon.kinds)
    for label, others in names.items():
        if lexicon.kind_of(label).name:
            continue
        meant = next((kind for other in others if (kind := lexicon.kind_of(other)).name), None)
        if meant:
            kinds[meant.name] = replace(kinds[meant.name], aliases=(*kinds[meant.name].aliases, label))
    return Lexicon(kinds)


def _fits(settings: Settings, current: Current, space: str, labels: Sequence[str], lexicon: Lexicon) -> bool:
    """A version that gold has gone into takes another lexicon up by training."""
    if current.space != space or set(current.labels) != set(labels):
        return False
    if not current.is_cold_start:
        return True
    try:
        tagger = checkpoint.load(settings.checkpoints_folder / current.folder)
    except ValueError:
        return True  # spoilt: that is seen to elsewhere
    return tagger.sources.cues.lexicon == lexicon


def version_folder(project_key: str, version: str) -> str:
    """Where a version's checkpoint lies, relative to the folder of checkpoints."""
    return f"{project_key}/{version}"


def _install(
    settings: Settings,
    store: Store,
    key: str,
    tagger: Tagger,
    number: int,
    generation: int,
    encoders: Mapping[str, str],
) -> Current:
    version = checkpoint.version_name(number, tagger)
    folder = version_folder(key, version)
    place = settings.checkpoints_folder / folder
    try:
        checkpoint.save(tagger.named(version), place, version=version, encoders=encoders, phase=COLD_START)
    except OSError:
        if not place.is_dir():
            raise
        # Another process was faster with the same content; renaming onto its folder is refused in several ways.
    new = NewVersion(
        number=number,
        version=version,
        parent="",
        folder=folder,
        phase=COLD_START,
        space=tagger.space,
        labels=tagger.labels,
        metrics={},
        gold_revision=0,
        gold_count=0,
        weak_count=0,
    )
    return store.versions.install(key, new, generation=generation)
