"""Vectors of items: one width for all encoders, parts that say what they should, and words."""

from dataclasses import replace

import pytest
import torch

from model.features.item import ItemFeatures
from model.search.projection import PARTS, WEIGHTS, WIDTH, Projection, picture_part
from testing.features import block, features

TITLES = ("不锈钢保温杯 500ml", "真皮商务腰带", "儿童连衣裙 夏季", "无线蓝牙耳机 Pro", "平板液晶电视 55寸")


def item(number: int, title: str = "", read: str = "立减20元", width: int = 24) -> ItemFeatures:
    noise = torch.Generator().manual_seed(number)
    return features(
        block(read), title=title or TITLES[number % len(TITLES)], industry=("日用", str(number % 3)),
        grid_RC=torch.rand(4, width, generator=noise),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> list[ItemFeatures]:
    return [item(number) for number in range(40)]


@pytest.fixture(scope="module")
def made(pool: list[ItemFeatures]) -> Projection:
    return Projection.of(pool)


def test_all_vectors_are_of_one_width_and_of_unit_length(pool: list[ItemFeatures], made: Projection) -> None:
    assert sum(PARTS.values()) == WIDTH
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    vectors_ND = made.vectors(pool)
    assert vectors_ND.shape == (40, WIDTH)
    assert vectors_ND.dtype == torch.float16
    assert vectors_ND.float().norm(dim=1) == pytest.approx(torch.ones(40), abs=2e-3)
    wide = [item(number, width=1280) for number in range(3)]
    assert Projection.of(wide).vectors(wide).shape == (3, WIDTH)
    assert made.vectors([]).shape == (0, WIDTH)


def test_a_vector_does_not_depend_on_the_others(pool: list[ItemFeatures], made: Projection) -> None:
    assert made.vectors(pool[:1])[0].float() == pytest.approx(made.vectors(pool)[0].float(), abs=1e-3)


def test_a_missing_part_adds_nothing(pool: list[ItemFeatures], made: Projection) -> None:
    bare = replace(pool[0], title="", texts={}, blocks=(), industry=())
    lengths = made.vectors([bare, replace(bare, image_C=torch.zeros(24).half())]).float().norm(dim=1)
    assert lengths.tolist() == pytest.approx([WEIGHTS["picture"] ** 0.5, 0.0], abs=1e-3)


def test_few_items_leave_room_for_pictures_of_another_kind(made: Projection) -> None:
    small = Projection.of([item(1), item(2)])
    others = [item(number) for number in range(50, 60)]
    parts_NP = picture_part(small.vectors(others))
    cosines = (parts_NP @ parts_NP.T).fill_diagonal_(0.0)
    assert cosines.abs().max() < 0.95, "all others look the same"


def test_words_find_titles_and_read_text(pool: list[ItemFeatures], made: Projection) -> None:
    asked_D = made.words("保温杯").float()
    scores_N = made.vectors(pool).float() @ asked_D
    assert {pool[place].title for place in scores_N.topk(8).indices.tolist()} == {TITLES[0]}
    unseen = [item(0, title="绿色仙人掌盆栽"), *pool[:4]]
    best = (made.vectors(unseen).float() @ made.words("仙人掌").float()).argmax()
    assert best == 0, "words that no item had when the projection was made"


def test_the_same_items_make_the_same_projection(pool: list[ItemFeatures], made: Projection) -> None:
    again = Projection.of(pool)
    assert again.digest == made.digest != Projection.of(pool[:30]).digest
    kept = Projection.from_state(made.state())
    assert kept.digest == made.digest
    assert torch.equal(kept.vectors(pool), made.vectors(pool))


def test_other_encoders_and_no_items_are_refused(made: Projection) -> None:
    with pytest.raises(ValueError, match="another picture encoder"):
        made.vectors([item(1, width=7)])
    with pytest.raises(ValueError, match="at least one item"):
        Projection.of([])
