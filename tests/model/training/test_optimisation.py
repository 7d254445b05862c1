import pytest
import torch

from model.attention.batching import Batch, collate
from model.attention.network import NetworkConfig, make_network
from model.attention.reduction import Reduction
from model.attention.vocabulary import Vocabulary
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.training.optimisation import Learner, modality_dropout
from model.training.phases import PARTS, Phase
from testing.features import features, with_industry, with_text
from testing.shop import LABELS, SMALL

MANY = 4000


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Many copies of an item that has everything, but for the last, which has nothing."""
    items = [with_text(with_industry(SMALL.pool(1)[0][0], "家电")), features(title="", industry=())]
    vocabulary = Vocabulary().grown(items)
    made = collate(items, CueSet(LABELS, Lexicon.load()), Reduction.of(items, seed=1), vocabulary)
    return made.floats()[torch.tensor([0] * MANY + [1])]


def there(batch: Batch) -> torch.Tensor:
    """(N, 4) which items have a picture, text, industry, the further text."""
    masks = batch.region_mask_NR, batch.segment_mask_NT, batch.level_mask_NL, batch.field_mask_NX
    return torch.stack([mask.any(1) for mask in masks], dim=1).double()


def test_modalities_are_hidden_whole_each_by_itself_from_the_share_of_items_that_is_asked(batch: Batch) -> None:
    torch.manual_seed(4)
    hidden = modality_dropout(batch, 0.3)
    kept_N4 = there(hidden)
    both_44 = kept_N4.T @ kept_N4 / MANY
    expected_44 = torch.full((4, 4), 0.7**2).double().fill_diagonal_(0.7)
    assert torch.allclose(both_44, expected_44, atol=0.04)
    whole = hidden.segment_mask_NT == (batch.segment_mask_NT & hidden.segment_mask_NT.any(1, keepdim=True))
    assert whole.all()
    assert torch.equal(hidden.region_mask_NR.any(1), hidden.region_mask_NR.all(1))
    assert not kept_N4[-1].any()
    assert torch.equal(hidden.region_NRC, batch.region_NRC)


def test_no_modality_is_hidden_by_a_share_of_zero(batch: Batch) -> None:
    assert torch.equal(there(modality_dropout(batch, 0.0)), there(batch))


def test_what_is_published_is_the_exponential_average_of_what_was_learned() -> None:
    network = make_network(NetworkConfig(4, 4, 0, 3, 2, width=8), seed=1)
    learner = Learner(network, weight_decay=0.0, ema_decay=0.6)
    learner.start(Phase("refine", 1, PARTS, 1e-2))
    expected = network.head.detach().clone()
    for step in range(1, 31):
        learner.step((network.head - 1).square().sum())
        decay = min(0.6, (1 + step) / (10 + step))  # shorter at first
        expected = decay * expected + (1 - decay) * network.head.detach()
        assert torch.allclose(learner.average.head, expected, atol=1e-6)
    assert (learner.average.head < network.head - 5e-3).all()
