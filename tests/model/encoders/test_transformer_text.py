from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from model.encoders.catalogue import text_encoder
from model.encoders.kept import PLACES
from model.encoders.runtime import HANDFUL
from model.encoders.transformer_text import LONGEST, TransformerTextEncoder
from tests.model.encoders.folders import bert_folder

TEXTS = ["买一送一 限时", "¥199", "", "华为HUAWEI Mate60 官方旗舰店正品手机", "   ", "¥199"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bert_folder(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def encoder(folder: str) -> TransformerTextEncoder:
    return TransformerTextEncoder(folder)


def test_tokens_begin_with_the_start_token_and_the_mean_is_of_the_rest(encoder: TransformerTextEncoder) -> None:
    encoded = encoder.encode(TEXTS)
    assert [len(text.tokens_TE) for text in encoded] == [7, 5, 0, 19, 0, 5]
    for text in (encoded[0], encoded[3]):
        assert torch.allclose(text.pooled_E, text.tokens_TE[1:].mean(0), atol=1e-6)
    assert not encoded[2].pooled_E.any()


def test_alone_or_among_others_a_text_has_the_same_features(encoder: TransformerTextEncoder) -> None:
    """Features are cached: within 2 % of their norm, whatever the batch (padding and bfloat16)."""
    together = encoder.encode(TEXTS)
    for index in (0, 1, 3):
        alone = encoder.encode([TEXTS[index]])[0]
        assert (alone.tokens_TE - together[index].tokens_TE).norm() < 0.02 * alone.tokens_TE.norm()


def test_long_texts_are_cut(encoder: TransformerTextEncoder) -> None:
    assert len(encoder.encode(["长" * 500])[0].tokens_TE) == LONGEST - 1


def test_several_threads_may_encode(encoder: TransformerTextEncoder) -> None:
    alone = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        for encoded in threads.map(encoder.encode, [TEXTS] * 12):
            assert torch.allclose(encoded[3].pooled_E, alone[3].pooled_E, atol=1e-5)


def test_loading_is_repeatable_and_silent(folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    prints = {TransformerTextEncoder(folder).fingerprint for _ in range(2)}
    assert len(prints) == 1
    assert capfd.readouterr() == ("", "")


def test_a_name_that_is_not_here_says_the_ways_out() -> None:
    with pytest.raises(ValueError, match=r"'nobody/model' is neither .*`tagloom encoders fetch nobody/model`"):
        text_encoder("nobody/model")


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no transformers model with safetensors"):
        text_encoder(str(tmp_path))


@pytest.mark.slow
def test_bert_base_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    encoded = TransformerTextEncoder(bert_folder(tmp_path, 768, 12, 12)).encode(["买一送一"])[0]
    assert (encoded.tokens_TE.shape, encoded.pooled_E.shape) == ((5, 768), (768,))


def test_the_way_that_is_chosen_agrees_for_texts_of_any_length(folder: str, tmp_path: Path) -> None:
    encoder = TransformerTextEncoder(folder)
    assert encoder.runtime
    expected = encoder.encode(TEXTS)
    titles = [f"连衣裙 {number} 夏季新款" + "正品" * (number % 7) for number in range(2 * HANDFUL)]
    with PLACES.kept_in(tmp_path):
        for start in range(0, len(titles), 4):
            encoder.encode(titles[start : start + 4])
        assert encoder.runtime.settled(60)
    for before, after in zip(expected, encoder.encode(TEXTS), strict=True):
        assert before.tokens_TE.shape == after.tokens_TE.shape
        for one, other in ((before.tokens_TE, after.tokens_TE), (before.pooled_E[None], after.pooled_E[None])):
            shown = one.any(1)
            assert (torch.cosine_similarity(one, other, dim=-1)[shown] > 0.999).all()
    assert encoder.fingerprint == TransformerTextEncoder(folder).fingerprint
