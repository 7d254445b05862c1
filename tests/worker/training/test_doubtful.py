import numpy as np
import pytest

import worker.workplace
from model.items import Gold
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from worker import jobs
from worker.training.doubtful import digest, unlikely
from worker.workplace import open_workplace

WRONG = {7, 23, 40}


@pytest.mark.slow
@pytest.mark.parametrize("held_out", [0.0, 0.6])
def test_a_training_finds_wrong_gold_and_says_what_speaks_against_it(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, held_out: float
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    chosen = settings.changed(held_out_share=held_out)
    monkeypatch.setattr(jobs, "open_workplace", lambda: open_workplace(chosen))
    shop.open_shop(store, settings, tasks=70)
    shop.annotate(store, range(1, 61))
    shop.annotate(store, WRONG, second=2, wrong=True)
    key = str(shop.KEY)
    jobs.train(key)
    found = [kept.doubt for kept in store.doubts.of(key)]
    assert {doubt.task_id for doubt in found} >= WRONG
    assert {doubt.task_id for doubt in found[:5]} <= WRONG
    assert [doubt.strength for doubt in found] == sorted((doubt.strength for doubt in found), reverse=True)
    for doubt in found[:3]:
        assert doubt.sources
        assert all((share < 0) is doubt.given for _, share in doubt.sources)
        assert all(task != doubt.task_id and task <= 60 for task, _, _ in doubt.nearest)
    assert any(doubt.nearest for doubt in found)


def test_gold_that_changed_has_another_digest() -> None:
    gold = Gold(frozenset({"a", "b"}))
    assert digest(gold) == digest(Gold(frozenset({"b", "a"})))
    assert len({digest(gold), digest(Gold(frozenset({"a"}))), digest(Gold(gold.labels, unknown=frozenset({"c"})))}) == 3


def test_only_what_is_as_sure_as_the_other_side_usually_is() -> None:
    gold = np.array([[True], [True], [True], [False], [False], [False]])
    probability = np.array([[0.9], [0.8], [0.1], [0.1], [0.65], [0.95]])
    assert unlikely(gold, np.ones_like(gold), probability)[:, 0].tolist() == [False, False, True, False, True, True]


def test_a_class_without_positives_accuses_nobody() -> None:
    gold = np.zeros((4, 1), dtype=bool)
    assert not unlikely(gold, np.ones_like(gold), np.full((4, 1), 0.9)).any()
