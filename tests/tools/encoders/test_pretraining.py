"""The training scripts end to end on little: what they write is what the encoders load."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from model.encoders import shipped
from tools.encoders import pretrain_image, pretrain_text

pytestmark = pytest.mark.slow


def _run(module: object, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["pretrain", *map(str, arguments)])
    module.main()  # type: ignore[attr-defined]


def test_a_trained_picture_encoder_loads_and_a_second_run_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain_image, "BATCH", 2)
    options = ("--pictures", 4, "--work", tmp_path / "work", "--out", tmp_path / "out")
    _run(pretrain_image, monkeypatch, "--minutes", 0.01, *options)
    monkeypatch.setattr(shipped, "IMAGE_FOLDER", tmp_path / "out")
    encoder = shipped.shipped_image_encoder("cpu")
    assert encoder.grid_shape == (14, 14)
    assert encoder.encode([Image.new("RGB", (9, 9))])[0].isfinite().all()
    _run(pretrain_image, monkeypatch, "--minutes", 0.01, *options)  # its time is over: the stored progress is written
    assert shipped.shipped_image_encoder("cpu").fingerprint == encoder.fingerprint


def test_a_trained_text_encoder_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_text, "BATCH", 4)
    monkeypatch.setattr(pretrain_text, "VOCABULARY_TEXTS", 50)
    _run(pretrain_text, monkeypatch, "--minutes", 0.01, "--work", tmp_path / "work", "--out", tmp_path / "out")
    monkeypatch.setattr(shipped, "TEXT_FOLDER", tmp_path / "out")
    encoded = shipped.shipped_text_encoder("cpu").encode(["买一送一"])[0]
    assert encoded.tokens_TE.shape == (5, pretrain_text.WIDTH)
    assert encoded.pooled_E.isfinite().all()
