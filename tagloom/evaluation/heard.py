"""Let the sources of others, if there are any, say what they have to say of the pictures of an evaluation."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from model.evaluation.corpus import LabelledCorpus
from model.features.said import SILENCE
from store.store import Store
from tagloom.datasets.dataset import Dataset, Sample
from tagloom.evaluation.corpus import Say
from tagloom.evaluation.features import item_of, key_of
from tagloom_base.settings import Settings
from worker.asking.asking import Asking, written
from worker.asking.asking import item_of as source_item
from worker.asking.opening import are_configured, leaving, opened_sources
from worker.asking.rounds import labels_of
from worker.said import said_of

ANSWERS = "sources.db"
# The answers are kept under this key, like those of a project.
KEY = "evaluation/1.0"


def with_sources(corpus: LabelledCorpus, samples: Dataset, settings: Settings, out: Path, say: Say) -> LabelledCorpus:
    """Return the corpus with what the sources of the settings say of each item; the corpus itself without any.

    Each is asked once for an item: the answers are kept in ``out``, and so is what they have cost. No source sees gold.
    """
    if not are_configured(settings.sources):
        return corpus
    if sentence := leaving(settings.sources):
        say(sentence.replace("of all projects", "of these data"))
    keys = [key_of(sample) for sample in samples]
    store = Store.open(f"sqlite:///{(out / ANSWERS).resolve()}")
    try:
        store.projects.ensure(KEY, "<View/>", "evaluation")
        _ask(corpus, samples, keys, settings, store)
        said = said_of(store.source_opinions, KEY, keys)
        for one in store.sources.all():
            count = sum(one.name in entry.probabilities for entry in said.values())
            troubles = "".join(f"; {kind} ({text})" for kind, text in one.troubles.items())
            say(f"source {one.name}: has said something of {count} of {len(keys)} items{troubles}")
    finally:
        store.close()
    features = zip(corpus.features, keys, strict=True)
    return replace(corpus, features=tuple(replace(item, said=said.get(key, SILENCE)) for item, key in features))


def _ask(corpus: LabelledCorpus, samples: Dataset, keys: list[str], settings: Settings, store: Store) -> None:
    labels = labels_of(dict.fromkeys(corpus.labels, ()), corpus.lexicon, {})
    with opened_sources(settings, store.sources, lambda: None) as sources:
        asking = Asking(store, KEY, corpus.labels, sources)
        rows = zip(samples, keys, corpus.features, strict=True)
        try:
            for sample, key, features in tqdm(rows, "asking sources", len(keys), unit="", disable=None, leave=False):
                if asking.is_due(key):
                    with TemporaryDirectory(prefix="tagloom-source-") as folder:
                        fetch = partial(_fetched, sample, Path(folder), settings.pictures.image_max_pixels)
                        asking.ask(key, source_item(features, labels, fetch))
            asking.finish()
        finally:
            asking.write()


def _fetched(sample: Sample, folder: Path, max_pixels: int) -> Path | None:
    image = item_of(sample, max_pixels).image
    return written(image, folder) if image else None
