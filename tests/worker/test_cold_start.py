from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labelstudio.config import LabelConfig
from model import checkpoint
from model.lexicon.lexicon import Lexicon
from model.lexicon.names import with_names
from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion
from tagloom_base.settings import Settings
from testing.shop import LABELS
from tests.worker import shop
from worker.cold_start import ColdStart
from worker.lexicon import read_lexicon

KEY = "default/2.1"


def test_backend_and_worker_at_once_make_one_version_that_loads(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, "<View/>")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: shop.cold_start(settings, store, LABELS, key=KEY, space="s" * 16), range(4)))
    assert len(set(made)) == 1
    assert (made[0].number, made[0].generation) == (0, 1)
    tagger = checkpoint.load(settings.paths.checkpoints / made[0].folder, space="s" * 16)
    assert (tagger.labels, tagger.version) == (LABELS, made[0].version)


def test_other_labels_or_encoders_start_anew_under_a_new_number(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, "<View/>")
    first = shop.cold_start(settings, store, LABELS, key=KEY, space="s" * 16)
    assert shop.cold_start(settings, store, LABELS, key=KEY, space="s" * 16) == first
    assert shop.cold_start(settings, store, LABELS[::-1], key=KEY, space="s" * 16) == first
    second = shop.cold_start(settings, store, [*LABELS, "二维码"], key=KEY, space="s" * 16)
    third = shop.cold_start(settings, store, [*LABELS, "二维码"], key=KEY, space="t" * 16)
    assert [entry.generation for entry in (first, second, third)] == [1, 2, 3]
    assert len({entry.version for entry in (first, second, third)}) == 3


def test_a_label_in_other_words_gets_the_cues_of_its_alias(settings: Settings) -> None:
    lexicon = with_names(Lexicon.load(), {"K7": ("K7", "赠品"), "LOGO": ("LOGO",), "odd": ("odd",)})
    assert lexicon.kind_of("K7").name == lexicon.kind_of("赠品").name != ""
    assert lexicon.kind_of("odd").name == ""
    config = LabelConfig.parse(
        '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="Promo copies"/></Choices></View>'
    )
    (kind,) = ColdStart.of(KEY, config, "s" * 16, settings).lexicon.kinds_of(config.labels)
    assert kind.name == "copy"
    assert kind.cues


def test_with_another_lexicon_a_cold_start_is_made_anew_and_a_trained_version_stays(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    store.projects.ensure(KEY, "<View/>")
    first = shop.cold_start(settings, store, LABELS, key=KEY, space="s" * 16)
    file = tmp_path / "lexicon.toml"
    file.write_text("[kinds.gift]\nshare = 0.1\n", encoding="utf-8")
    other = settings.changed(lexicon=file)
    second = shop.cold_start(other, store, LABELS, key=KEY, space="s" * 16)
    assert (second.number, second.generation) == (1, 2)
    assert checkpoint.load(settings.paths.checkpoints / second.folder).sources.cues.lexicon == read_lexicon(file)
    assert shop.cold_start(other, store, LABELS, key=KEY, space="s" * 16) == second
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    trained = NewVersion(2, "v2.abcd", "", first.folder, "refine", "s" * 16, LABELS, {}, 0, 0, 0)
    store.versions.add(KEY, trained, lease)
    serving = store.versions.promote(KEY, 2, lease, generation=2)
    assert shop.cold_start(other, store, LABELS, key=KEY, space="s" * 16) == serving


def test_with_other_seconds_of_a_drawn_box_a_cold_start_is_made_anew(store: Store, settings: Settings) -> None:
    store.projects.ensure(KEY, "<View/>")
    first = shop.cold_start(settings, store, LABELS, key=KEY, space="s" * 16)
    quick = settings.changed(draw_seconds=7.0)
    second = shop.cold_start(quick, store, LABELS, key=KEY, space="s" * 16)
    before, after = (checkpoint.load(settings.paths.checkpoints / one.folder).box_model for one in (first, second))
    assert before is not None
    assert after is not None
    assert (before.draw_seconds, after.draw_seconds) == (16.0, 7.0)
    assert bool((after.threshold_K > before.threshold_K).all())
    assert shop.cold_start(quick, store, LABELS, key=KEY, space="s" * 16) == second
