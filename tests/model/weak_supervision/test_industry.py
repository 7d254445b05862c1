from math import log

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.weak_supervision.industry import PSEUDO_GOLD, IndustryPrior, Path, opinions_among

DRESS, SHIRT, KETTLE = ("clothes", "dress"), ("clothes", "shirt"), ("home", "kettle")


def gold(*labels: float) -> torch.Tensor:
    return torch.tensor(labels, dtype=torch.float64)[:, None]


def test_an_industry_pulls_towards_what_its_gold_says_and_its_neighbour_follows_a_little() -> None:
    prior = IndustryPrior.of([DRESS] * 8 + [KETTLE] * 8, gold(*[1.0] * 8, *[0.0] * 8))
    dress, shirt, kettle, unknown, nothing = prior.opinions([DRESS, SHIRT, KETTLE, ("toys", "car"), ()])[:, 0].tolist()
    assert dress > shirt > 0 > kettle
    assert unknown == nothing == 0


def test_the_share_is_a_beta_posterior_around_the_level_above() -> None:
    prior = IndustryPrior.of([("a",), ("a",), ("b",)], gold(1, 1, 0))
    overall = 3 / 5
    share = (2 + PSEUDO_GOLD * overall) / (2 + PSEUDO_GOLD)
    expected = log(share / (1 - share)) - log(overall / (1 - overall))
    assert torch.allclose(prior.opinions([("a",)]), gold(expected))


def test_without_gold_nobody_has_an_opinion() -> None:
    unknown_NK = torch.full((3, 2), torch.nan, dtype=torch.float64)
    assert opinions_among([DRESS, SHIRT, ()], unknown_NK, ["x", "y", "z"]).abs().sum() == 0
    assert IndustryPrior.of([], unknown_NK[:0]).opinions([]).shape == (0, 2)


def test_a_familys_own_gold_does_not_speak_for_it() -> None:
    industries, labels_NK = [DRESS, DRESS, KETTLE, DRESS], gold(1, 1, 0, torch.nan)
    apart = opinions_among(industries, labels_NK, ["f", "f", "g", "h"])[:, 0].tolist()
    alone = IndustryPrior.of([KETTLE], gold(0)).opinions([DRESS])[0, 0].item()
    assert apart[0] == apart[1] == alone == 0
    assert apart[3] > 0


paths = st.sampled_from([DRESS, SHIRT, KETTLE, ("clothes",), ()])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(paths, st.sampled_from("fgh"), st.sampled_from([0.0, 1.0, float("nan")])), max_size=12))
def test_leaving_a_family_out_equals_counting_without_it(rows: list[tuple[Path, str, float]]) -> None:
    industries, families = [path for path, _, _ in rows], [family for _, family, _ in rows]
    labels_NK = gold(*(label for _, _, label in rows)).reshape(len(rows), 1)
    opinion_NK = opinions_among(industries, labels_NK, families)
    for row, (path, family, label) in enumerate(rows):
        own = torch.tensor([name == family for name in families])
        others_NK = labels_NK.masked_fill(own[:, None], torch.nan) if label == label else labels_NK
        wanted = IndustryPrior.of(industries, others_NK).opinions([path])[0]
        assert torch.allclose(opinion_NK[row], wanted)
    assert opinion_NK.isfinite().all()
