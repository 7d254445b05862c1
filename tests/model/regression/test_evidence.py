import torch

from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from testing.features import features
from testing.shop import LABELS, SMALL

CUES = CueSet(LABELS, Lexicon.load())
ITEMS = SMALL.pool(30)[0]


def problem(count: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Evidence, no offset, and gold that its first column decides."""
    evidence_ND = torch.randn(count, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return evidence_ND, torch.zeros(count, 1, dtype=torch.float64), (evidence_ND[:, :1] > 0).double()


def test_a_vector_does_not_hang_on_the_company() -> None:
    evidence = Evidence.of(ITEMS, CUES)
    assert torch.allclose(evidence.vectors(ITEMS, CUES)[3:4], evidence.vectors([ITEMS[3]], CUES))
    assert evidence.vectors([features(title="", industry=())], CUES).isfinite().all()


def test_regression_learns_what_gold_shows_and_leaves_the_rest_to_the_offset() -> None:
    evidence_ND, offset_NK, gold_NK = problem(200, 5)
    fitted = Regression.fit(evidence_ND, offset_NK, gold_NK, torch.ones(200))
    assert ((fitted.log_odds(evidence_ND) > 0).double() == gold_NK).double().mean() > 0.95
    silent = Regression.fit(evidence_ND, offset_NK, gold_NK * torch.nan, torch.ones(200))
    assert silent.weight_DK.abs().max() == 0
    assert silent.bias_K == 0


def test_gold_that_the_offset_explains_changes_little() -> None:
    evidence_ND, _, gold_NK = problem(60, 5)
    explained = Regression.fit(evidence_ND, 12 * (2 * gold_NK - 1), gold_NK, torch.ones(60))
    assert explained.weight_DK.abs().max() < 1e-3


def test_few_rows_give_the_solution_of_all_columns() -> None:
    """In the span of the rows or in all columns: the ridge makes it the same problem."""
    evidence_ND, offset_NK, gold_NK = problem(12, 40)
    narrow = Regression.fit(evidence_ND, offset_NK, gold_NK, torch.ones(12))
    again = torch.cat([evidence_ND] * 4)
    wide = Regression.fit(again, torch.cat([offset_NK] * 4), torch.cat([gold_NK] * 4), torch.full((48,), 0.25))
    assert torch.allclose(narrow.weight_DK, wide.weight_DK, atol=1e-3)
