from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model import checkpoint
from model.weak_supervision.lexicon import Lexicon
from store.store import Store
from store.versions import NewVersion, training_lease
from tagloom.settings import Settings
from tests.worker import items
from worker.training.cold_start import ensure_cold_start, lexicon_of, lexicon_with

KEY = "default/2.1"


def test_backend_and_worker_at_once_make_one_version_that_loads(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, "<View/>")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ensure_cold_start(settings, store, KEY, "s" * 16, items.LABELS), range(4)))
    assert len(set(made)) == 1
    assert (made[0].number, made[0].generation) == (0, 1)
    tagger = checkpoint.load(settings.checkpoints_folder / made[0].folder, space="s" * 16)
    assert (tagger.labels, tagger.version) == (items.LABELS, made[0].version)


def test_other_labels_or_encoders_start_anew_under_a_new_number(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, "<View/>")
    first = ensure_cold_start(settings, store, KEY, "s" * 16, items.LABELS)
    assert ensure_cold_start(settings, store, KEY, "s" * 16, items.LABELS) == first
    assert ensure_cold_start(settings, store, KEY, "s" * 16, items.LABELS[::-1]) == first
    second = ensure_cold_start(settings, store, KEY, "s" * 16, [*items.LABELS, "二维码"])
    third = ensure_cold_start(settings, store, KEY, "t" * 16, [*items.LABELS, "二维码"])
    assert [entry.generation for entry in (first, second, third)] == [1, 2, 3]
    assert len({entry.version for entry in (first, second, third)}) == 3


def test_a_label_in_other_words_gets_the_cues_of_its_alias() -> None:
    lexicon = lexicon_with(Lexicon.load(), {"K7": ("K7", "赠品"), "LOGO": ("LOGO",), "odd": ("odd",)})
    assert lexicon.kind_of("K7").name == lexicon.kind_of("赠品").name != ""
    assert lexicon.kind_of("odd").name == ""


def test_with_another_lexicon_a_cold_start_is_made_anew_and_a_trained_version_stays(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    store.projects.ensure(KEY, "<View/>")
    first = ensure_cold_start(settings, store, KEY, "s" * 16, items.LABELS)
    file = tmp_path / "lexicon.toml"
    file.write_text("[kinds.gift]\nshare = 0.1\n", encoding="utf-8")
    other = settings.model_copy(update={"lexicon": file})
    second = ensure_cold_start(other, store, KEY, "s" * 16, items.LABELS)
    assert (second.number, second.generation) == (1, 2)
    assert checkpoint.load(settings.checkpoints_folder / second.folder).sources.cues.lexicon == lexicon_of(other, {})
    assert ensure_cold_start(other, store, KEY, "s" * 16, items.LABELS) == second
    lease = store.leases.acquire(training_lease(KEY), "test", 60)
    assert lease
    trained = NewVersion(2, "v2.abcd", "", first.folder, "refine", "s" * 16, items.LABELS, {}, 0, 0, 0)
    store.versions.add(KEY, trained, lease)
    serving = store.versions.promote(KEY, 2, lease, generation=2)
    assert ensure_cold_start(other, store, KEY, "s" * 16, items.LABELS) == serving
