import numpy as np
import pytest

import worker.workplace
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from worker.training.doubtful import doubtful, unlikely
from worker.workplace import open_workplace


@pytest.mark.slow
def test_wrong_gold_is_at_the_top(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    shop.open_shop(store, settings, tasks=70)
    shop.annotate(store, range(1, 61))
    shop.annotate(store, [7, 23, 40], second=2, wrong=True)
    shop.cold_start(settings, store)
    with open_workplace(settings) as workplace:
        found = doubtful(workplace, str(shop.KEY))
        with pytest.raises(ValueError, match="tagloom versions"):
            doubtful(workplace, "default/9.9")
    assert {doubt.task_id for doubt in found[:5]} <= {7, 23, 40}
    assert {doubt.task_id for doubt in found} >= {7, 23, 40}
    assert [doubt.strength for doubt in found] == sorted((doubt.strength for doubt in found), reverse=True)


def test_only_what_is_as_sure_as_the_other_side_usually_is() -> None:
    gold = np.array([[True], [True], [True], [False], [False], [False]])
    probability = np.array([[0.9], [0.8], [0.1], [0.1], [0.65], [0.95]])
    assert unlikely(gold, np.ones_like(gold), probability)[:, 0].tolist() == [False, False, True, False, True, True]


def test_a_class_without_positives_accuses_nobody() -> None:
    gold = np.zeros((4, 1), dtype=bool)
    assert not unlikely(gold, np.ones_like(gold), np.full((4, 1), 0.9)).any()


def test_what_serves_stays_when_the_command_was_given_other_encoders(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    shop.open_shop(store, settings, tasks=4)
    shop.annotate(store, [1])
    key = str(shop.KEY)
    with open_workplace(settings) as workplace:
        with pytest.raises(ValueError, match="no version serves"):
            doubtful(workplace, key)
        served = shop.cold_start(settings, store, key=key, space="6" * 16)
        with pytest.raises(ValueError, match="TAGLOOM_IMAGE_ENCODER"):
            doubtful(workplace, key)
    assert store.versions.current(key) == served
