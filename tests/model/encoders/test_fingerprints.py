import torch
from torch import nn

from model.encoders import fingerprints


def _layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(2, 2)


def test_the_same_weights_and_settings_have_one_fingerprint() -> None:
    assert fingerprints.of_module(_layer(), 224) == fingerprints.of_module(_layer(), 224)


def test_any_weight_or_setting_changes_it() -> None:
    changed = _layer()
    changed.weight.data[0, 0] += 1e-3
    prints = {
        fingerprints.of_module(_layer(), 224),
        fingerprints.of_module(_layer(), 256),
        fingerprints.of_module(changed, 224),
        fingerprints.of_module(_layer().half(), 224),
    }
    assert len(prints) == 4


def test_words_do_not_run_together() -> None:
    assert fingerprints.of_words("ab", "c") != fingerprints.of_words("a", "bc")
