"""What serves, from the first gold labels on: never worse than the cues, and along with the season."""

import pytest

from model import checkpoint
from model.metrics import macro_f1
from model.problem import GoldTable
from model.tagger import Tagger
from store.store import Store
from store.versions import State
from tagloom_base.settings import Settings
from testing.shop import LABELS, PLAIN, SHOP, WINTER
from tests.worker import shop
from worker import jobs

KEY = str(shop.KEY)
OTHERS = 300  # products that the shop does not hold, to measure on
NOISE = 0.015  # of macro-F1 on so many


def serving(store: Store, settings: Settings) -> Tagger:
    current = store.versions.current(KEY)
    assert current
    return checkpoint.load(settings.paths.checkpoints / current.folder)


def right(tagger: Tagger, make: shop.Make) -> float:
    """Macro-F1 on products that the shop does not hold."""
    made = [make(90_000 + number) for number in range(OTHERS)]
    gold_NK = GoldTable.of(dict(enumerate(said for _, said in made)), LABELS, OTHERS).labels_NK
    return macro_f1(gold_NK, tagger.calibration.decide(tagger.probabilities([features for features, _ in made])))


def against_the_cues(cold: Tagger, number: int) -> int:
    """On how many labels of an item gold and cues do not agree."""
    features, said = PLAIN.item(number)
    (answer,) = cold.predict([features], boxes=False)
    return len(frozenset(answer.labels) ^ (said.labels or frozenset()))


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("gold", "unlucky"), [(3, True), (10, False), (10, True)])
def test_the_first_ten_gold_labels_never_drop_below_the_cues(
    store: Store, settings: Settings, gold: int, unlucky: bool
) -> None:
    """``unlucky``: the first labels that come are those of the shop that speak most against the cues."""
    cold = Tagger.cold_start(LABELS, space=shop.SPACE, seed=settings.training.seed)
    numbers = range(1, 41)
    shop.open_shop(store, settings, tasks=len(numbers), make=PLAIN.item)
    order = sorted(numbers, key=lambda number: -against_the_cues(cold, number)) if unlucky else numbers
    shop.annotate(store, order[:gold], make=PLAIN.item)
    jobs.train(KEY)
    assert right(serving(store, settings), PLAIN.item) > right(cold, PLAIN.item) - NOISE


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("held_out_share", ["0.5", "0"])
def test_the_next_season_is_followed_though_most_gold_is_old(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, held_out_share: str
) -> None:
    """Within 40 gold labels of the new season after 90 of the old one, by held-out gold as well as out of fold."""
    monkeypatch.setenv("TAGLOOM_HELD_OUT_SHARE", held_out_share)
    shop.open_shop(store, settings, tasks=90)
    shop.annotate(store, range(1, 91))
    jobs.train(KEY)
    summer = serving(store, settings)
    shop.add_tasks(store, settings, range(1001, 1041), WINTER.item)
    for first in (1001, 1021):
        shop.annotate(store, range(first, first + 20), make=WINTER.item)
        jobs.train(KEY)
    followed = serving(store, settings)
    assert next(entry.gold_count for entry in store.versions.list(KEY) if entry.state is State.CURRENT) > 90
    assert right(followed, WINTER.item) > right(summer, WINTER.item) + 0.1
    assert right(followed, SHOP.item) > right(summer, SHOP.item) - 0.03
