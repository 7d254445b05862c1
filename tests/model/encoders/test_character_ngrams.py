import pytest
import torch

from model.encoders.catalogue import text_encoder
from model.encoders.character_ngrams import LONGEST, WIDTH
from model.encoders.protocols import TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return text_encoder("ngrams")


def test_a_text_has_its_characters_behind_one_token_for_the_whole(encoder: TextEncoder) -> None:
    whole, empty = encoder.encode(["买一送一", "  "])
    assert whole.tokens_TE.shape == (5, WIDTH)
    assert torch.equal(whole.tokens_TE[0], whole.pooled_E)
    assert torch.allclose(whole.pooled_E, whole.tokens_TE[1:].mean(0))
    assert (empty.tokens_TE.shape, bool(empty.pooled_E.any())) == ((0, WIDTH), False)


def test_texts_that_share_words_are_near(encoder: TextEncoder) -> None:
    gift, other_gift, price = (text.pooled_E for text in encoder.encode(["买一送一", "今日买一送二", "¥199"]))
    near, far = (torch.cosine_similarity(gift, other, dim=0) for other in (other_gift, price))
    assert near > far + 0.3


def test_order_counts_and_case_does_not(encoder: TextEncoder) -> None:
    forth, back, small, large = encoder.encode(["送杯", "杯送", "nova", "NOVA"])
    assert not torch.allclose(forth.pooled_E, back.pooled_E)
    assert torch.equal(small.pooled_E, large.pooled_E)


def test_long_texts_are_cut_and_the_print_is_the_settings_alone(encoder: TextEncoder) -> None:
    assert len(encoder.encode(["长" * 500])[0].tokens_TE) == LONGEST + 1
    assert text_encoder("ngrams").fingerprint == encoder.fingerprint
    assert "n-grams" in encoder.describe()
