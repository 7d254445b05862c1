"""The worked examples of docs/extend.md, as they stand there, registered and asked (sources: tests/sources)."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from labelstudio.controls import shape_labels
from labelstudio.controls.shape_labels import ShapeLabels
from model.encoders import catalogue
from model.encoders.catalogue import image_encoder
from model.items import Box
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from testing.features import block, features
from tests.pages import example, module

PAGE = "extend.md"


def test_the_encoder_gives_a_grid_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.LIBRARIES, "colours", module(PAGE, "A picture encoder").colours_encoder)
    encoder = image_encoder("colours:4")
    assert (encoder.grid_shape, encoder.width) == ((4, 4), 3)
    picture = Image.new("RGB", (80, 80), "white")
    picture.paste((0, 0, 0), (0, 0, 40, 80))
    grid_NRC, pooled_NC = encoder.encode([picture])
    assert grid_NRC[0, 0].tolist() == [-2.0, -2.0, -2.0]
    assert grid_NRC[0, 3].tolist() == [2.0, 2.0, 2.0]
    assert torch.allclose(pooled_NC, torch.zeros(1, 3), atol=0.01)
    assert image_encoder("colours:5").fingerprint != encoder.fingerprint
    with pytest.raises(ValueError, match="such as colours:8"):
        image_encoder("colours:many")


def test_the_control_reads_the_box_around_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    control = ShapeLabels("paths", "image", "vectorlabels", {"赠品": "赠品"})
    vertices = [{"id": "a", "x": 10, "y": 20.0}, {"id": "b", "x": 30, "y": 60}, {"id": "c", "x": 20, "y": 5}]
    region = {"type": "vectorlabels", "value": {"vertices": vertices, "vectorlabels": ["赠品"]}}
    assert control.read(region).box is None
    monkeypatch.setitem(shape_labels._FRAMES, "vectorlabels", module(PAGE, "A control of the labelling config").vector)
    said = control.read(region)
    assert said.labels == {"赠品"}
    assert said.box == Box(0.1, 0.05, 0.3, 0.6)
    for wrong in (None, [3], vertices[:1], [{"x": 1}, {"x": 2, "y": 3}]):
        spoilt = {"type": "vectorlabels", "value": {"vertices": wrong, "vectorlabels": ["赠品"]}}
        assert control.read(spoilt).box is None


def test_the_cue_finds_its_label_before_any_gold(tmp_path: Path) -> None:
    own = tmp_path / "lexicon.toml"
    own.write_text(example(PAGE, "A kind of label", "toml"), encoding="utf-8")
    cues = CueSet(("质保", "LOGO"), Lexicon.load(own))
    items = [features(block(text)) for text in ("质保三年", "2-year warranty", "春季新品")]
    probability_NK = cues.probabilities(items)
    assert (probability_NK[:, 0] > 0.5).tolist() == [True, True, False]
    assert float(probability_NK[2, 0]) == pytest.approx(0.05)
