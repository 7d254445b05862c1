"""ResNet50 and BERT base at full size, from local files with random weights, from the picture to a trained answer."""

import socket
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from model.features.extraction import FeatureExtractor
from model.items import Gold, Item
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import fit
from tests.model.encoders.folders import bert_folder

SHORT = TrainConfig(first=(Phase("refine", 1, PARTS, 1e-3),))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_resnet50_and_bert_serve_and_train_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    save_file(models.resnet50(weights=None).state_dict(), tmp_path / "resnet50.safetensors")
    text_folder = bert_folder(tmp_path / "bert", 768, 12, 12)
    extractor = FeatureExtractor.from_names(f"torchvision:resnet50@{tmp_path / 'resnet50.safetensors'}", text_folder)
    items = [
        Item(
            Image.new("RGB", (300, 400), (40 * n, 30, 60)),
            f"Nova/诺瓦 电水壶 {n}",
            ("家电", "水壶"),
            {"reviews": "好用"},
        )
        for n in range(4)
    ]
    features = extractor.extract(items)
    seen = features[0]
    assert (seen.grid_RC.shape, seen.image_C.shape, seen.grid_shape) == ((49, 2048), (2048,), (7, 7))
    assert (seen.tokens_TE.shape[1], seen.title_E.shape, seen.industry_LE.shape) == (768, (768,), (2, 768))
    assert seen.texts_E["reviews"].shape == (768,)
    gold = {n: Gold(frozenset({"主体", "LOGO"} if n % 2 else {"主体"})) for n in range(4)}
    cold = Tagger.cold_start(("主体", "LOGO"), space=extractor.space, seed=1, with_boxes=False)
    tagger = fit(cold, Problem(features, gold, [str(n) for n in range(4)]), SHORT)
    assert tagger.network is not None
    assert tagger.network.config.vocabulary.fields == ("reviews",)
    assert tagger.probabilities(features).isfinite().all()
    assert torch.equal(extractor.extract(items[:1])[0].image_C, seen.image_C)
