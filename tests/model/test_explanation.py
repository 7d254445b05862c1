import pytest

from model.attention.batching import GRID
from model.explanation import explain
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import CONTINUATION
from model.training.progressive import fit
from testing.features import block, features
from testing.shop import LABELS, Shop

SPACE = "5" * 16


def test_the_cold_start_is_explained_by_the_cues_that_fired_and_their_words() -> None:
    tagger = Tagger.cold_start(LABELS, space=SPACE, seed=1)
    (told,) = explain(tagger, [features(block("到手价¥99"), block("送货上门"), title="保温杯")])
    assert (
        told.prediction.labels
        == tagger.predict([features(block("到手价¥99"), block("送货上门"), title="保温杯")])[0].labels
    )
    reasons = {reason.label: reason for reason in told.reasons}
    price = reasons["价格"]
    assert price.given
    assert price.probability > price.threshold
    assert any(texts == ("到手价¥99",) and weight > 0 for _, weight, texts in price.cues)
    assert price.sources[0][0].startswith("价格: ")
    assert reasons["赠品"].given is False
    assert all("送货上门" not in texts for _, _, texts in reasons["赠品"].cues), "delivery is no gift"
    assert all(reason.network is None and reason.look is None for reason in told.reasons)


@pytest.mark.slow
def test_a_network_tells_where_it_looks() -> None:
    items, gold = zip(*(Shop().item(number) for number in range(1, 25)), strict=True)
    problem = Problem(list(items), dict(enumerate(gold)), [str(n) for n in range(len(items))])
    cold = Tagger.cold_start(LABELS, space=SPACE, seed=1, with_boxes=False)
    tagger = fit(cold, problem, TrainConfig(seed=1, first=CONTINUATION[:1]))
    for reason in explain(tagger, [items[0]])[0].reasons:
        assert reason.network is not None
        assert reason.look is not None
        assert len(reason.look.strengths) in (0, GRID * GRID)
        assert all(0 <= value <= 1 for value in reason.look.strengths)
        assert sum(share for _, share in reason.look.texts) <= 1.001
