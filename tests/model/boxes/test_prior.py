import numpy as np
import pytest

from model.boxes.candidates import candidates
from model.boxes.describe import KINDS, kind_scores
from model.boxes.described import RECENT
from model.boxes.model import BoxModel
from model.boxes.prior import drawn_forest
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.item import ItemFeatures
from model.lexicon.lexicon import Lexicon
from testing.features import block, features

LEXICON = Lexicon.load()


@pytest.fixture(scope="module")
def item() -> ItemFeatures:
    return features(
        block("¥199", top=0.8, height=0.08), block("NOVA", top=0.03, height=0.05), block("轻薄透气四季可穿")
    )


def test_drawings_teach_one_quality_for_each_kind(item: ItemFeatures) -> None:
    seen = RECENT.of(item, RoleReader(LEXICON))
    quality_NL = drawn_forest().predict(seen.inputs_ND)
    assert quality_NL.shape == (len(seen.boxes_N4), len(KINDS))
    assert quality_NL.min() >= 0
    assert quality_NL.max() <= 1
    # Large digits with a sign of money look like a price, and like no logo.
    price, logo = KINDS.index("price"), KINDS.index("logo")
    best = quality_NL[:, price].argmax()
    assert quality_NL[best, price] > quality_NL[best, logo]
    assert float(seen.boxes_N4[best, 1]) > 0.5


def test_the_cold_start_is_the_mean_of_cues_and_drawings(item: ItemFeatures) -> None:
    (seen,) = BoxModel.cold_start(["价格", "水印"], LEXICON).see([item])
    described = RECENT.of(item, RoleReader(LEXICON))
    cued_N = kind_scores(candidates(Scene.of(item, RoleReader(LEXICON))), ["price"])[:, 0]
    drawn_N = drawn_forest().predict(described.inputs_ND)[:, KINDS.index("price")]
    assert np.allclose(seen.quality_NK[:, 0], (cued_N + drawn_N) / 2)
    # A label that means no kind has no cold start.
    assert not seen.quality_NK[:, 1].any()
