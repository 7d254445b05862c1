"""Encoders trained end to end, on small drawn pictures with a small network and a small BERT."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torchvision import models

from model.attention.batching import Batch, collate
from model.encoders.catalogue import save_text_encoder
from model.encoders.grid import GridEncoder, Preprocessing
from model.encoders.small_resnet import SmallResNet
from model.encoders.torchvision_grid import until_pooling
from model.encoders.transformer_text import TransformerTextEncoder
from model.features.extraction import FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Box, Gold, Item, TextBlock
from model.problem import Problem
from model.tagger import Tagger
from model.training import live
from model.training.config import TrainConfig
from model.training.encoders import EncoderPair, EncoderTraining, train_encoders
from model.training.live import IMAGE, TEXT, Live
from model.training.phases import PARTS, Phase
from model.training.progressive import EpochReport, fit
from tests.model.encoders.folders import bert_folder
from tests.model.reading.fixed import FixedReader

LABELS = ("主体", "赠品", "文案")
ITEMS = 24
TRAIN = TrainConfig(
    seed=3, first=(Phase("refine", 2, PARTS, 1e-2),), use_regression=False, use_neighbours=False, network={"width": 16}
)
QUICK = EncoderTraining(epochs=2, learning_rate=1e-3, batch=8, training=TRAIN)


def picture(gift: bool, number: int) -> Image.Image:
    """A round red thing where there is a gift, an angular brown one where there is none, somewhere."""
    image = Image.new("RGB", (48, 64), (240, 240, 200 + number))
    at = 4 + 3 * (number % 7)
    draw = ImageDraw.Draw(image)
    (draw.ellipse if gift else draw.rectangle)((at, at, at + 20, at + 20), fill=(200 if gift else 100, 60, 30))
    return image


PICTURES = [picture(bool(n % 2), n) for n in range(ITEMS)]
BLOCKS = [
    tuple(TextBlock(Box(0.1, 0.1 + 0.2 * b, 0.9, 0.2 + 0.2 * b), f"{'好用' * b}第{n % 3}件", 0.9) for b in range(n % 4))
    for n in range(ITEMS)
]
GOLD = {n: Gold(frozenset({"主体", "赠品"} if n % 2 else {"主体"})) for n in range(12)}
FAMILIES = [str(n) for n in range(ITEMS)]


@pytest.fixture(scope="module")
def images() -> GridEncoder:
    torch.manual_seed(0)
    return GridEncoder(SmallResNet((8, 16), (1, 1)), Preprocessing(64, (0.5,) * 3, (0.25,) * 3), "small")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> TransformerTextEncoder:
    return TransformerTextEncoder(bert_folder(tmp_path_factory.mktemp("bert"), 16))


@pytest.fixture(scope="module")
def pool(images: GridEncoder, texts: TransformerTextEncoder) -> list[ItemFeatures]:
    return encoded(images, texts)


@pytest.fixture(scope="module")
def tagger(pool: Sequence[ItemFeatures]) -> Tagger:
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    return fit(cold, Problem(pool, GOLD, FAMILIES), TRAIN)


def encoded(images: GridEncoder, texts: TransformerTextEncoder) -> list[ItemFeatures]:
    titles = [f"Nova/诺瓦 电水壶 {n}" if n % 5 else "" for n in range(ITEMS)]
    items = [Item(image, title, ("家电", "水壶")) for image, title in zip(PICTURES, titles, strict=True)]
    items[7] = replace(items[7], image=None)
    shown = [blocks for n, blocks in enumerate(BLOCKS) if n != 7]
    return FeatureExtractor(images, texts, FixedReader(shown)).extract(items)


def trained(
    tagger: Tagger,
    pool: Sequence[ItemFeatures],
    *,
    images: GridEncoder | None = None,
    texts: TransformerTextEncoder | None = None,
    config: EncoderTraining = QUICK,
    reports: list[EpochReport] | None = None,
) -> EncoderPair:
    heard = reports if reports is not None else []
    return train_encoders(
        tagger,
        Problem(pool, GOLD, FAMILIES),
        PICTURES.__getitem__,
        EncoderPair(images, texts),
        config,
        on_epoch=heard.append,
    )


def live_of(
    tagger: Tagger,
    pool: Sequence[ItemFeatures],
    images: GridEncoder | None = None,
    texts: TransformerTextEncoder | None = None,
) -> Live:
    assert tagger.reduction is not None
    return Live(
        pool, PICTURES.__getitem__, tagger.reduction,
        images=images, texts=texts, share=0.5, rate=1e-3, device=torch.device("cpu"),
    )  # fmt: skip


def changed(before: nn.Module, after: nn.Module) -> list[str]:
    state = after.state_dict()
    return [name for name, value in before.state_dict().items() if not torch.equal(value, state[name])]


def batch_of(tagger: Tagger, pool: Sequence[ItemFeatures]) -> tuple[Batch, Tensor]:
    assert tagger.reduction is not None
    assert tagger.network is not None
    whole = collate(pool, tagger.sources.cues, tagger.reduction, tagger.network.config.vocabulary)
    return whole.floats(), torch.arange(len(pool))


def test_before_the_first_step_a_batch_is_what_was_cached(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(live, "augmented", lambda pictures, size: list(pictures))
    batch, rows = batch_of(tagger, pool)
    anew = live_of(tagger, pool, images, texts).seen_anew(batch, rows)
    for name in ("region_NRC", "segment_NTE"):
        cached, now = getattr(batch, name), getattr(anew, name)
        assert now.requires_grad
        assert not torch.equal(now, cached)  # cached ones are in half precision
        assert float((now - cached).detach().norm() / cached.norm()) < 0.03
    assert torch.equal(anew.region_NRC[7], batch.region_NRC[7])  # without a picture


def test_the_gradient_of_the_answer_reaches_exactly_the_last_layers(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder
) -> None:
    under = live_of(tagger, pool, images, texts)
    assert tagger.network is not None
    tagger.network(under.seen_anew(*batch_of(tagger, pool))).square().sum().backward()
    for name, last, first in [
        (IMAGE, "stages.1.body.3.weight", "stem.0.weight"),
        (TEXT, "encoder.layer.1.output.dense.weight", "embeddings.word_embeddings.weight"),
    ]:
        parameters = dict(under.encoders[name].named_parameters())
        last_gradient = parameters[last].grad
        assert last_gradient is not None
        assert last_gradient.abs().max() > 0
        assert parameters[first].grad is None


def test_what_is_hidden_from_the_network_is_not_encoded(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder
) -> None:
    asked: list[int] = []
    under = live_of(tagger, pool, images, texts)
    under.pictures = lambda row: (asked.append(row), PICTURES[row])[1]  # type: ignore[func-returns-value]
    batch, rows = batch_of(tagger, pool)
    hidden = replace(batch, region_mask_NR=batch.region_mask_NR & (rows < 10)[:, None])
    under.seen_anew(hidden, rows)
    assert asked == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    nothing = replace(
        batch,
        region_mask_NR=torch.zeros_like(batch.region_mask_NR),
        segment_mask_NT=torch.zeros_like(batch.segment_mask_NT),
    )
    assert under.seen_anew(nothing, rows) is nothing


def test_only_the_encoder_that_was_asked_for_changes_and_only_its_last_layers(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder
) -> None:
    before = {name: value.clone() for name, value in images.network.state_dict().items()}
    result = trained(tagger, pool, images=images)
    assert result.texts is None
    assert result.images is not None
    assert all(torch.equal(value, before[name]) for name, value in images.network.state_dict().items())
    moved = changed(images.network, result.images.network)
    assert "stages.1.body.3.weight" in moved
    assert not [name for name in moved if name.startswith("stem") or "running" in name or "num_batches" in name]
    assert result.images.fingerprint != images.fingerprint
    result = trained(tagger, pool, texts=texts)
    assert result.images is None
    assert result.texts is not None
    moved = changed(texts.network, result.texts.network)
    assert "encoder.layer.1.output.dense.weight" in moved
    assert not [name for name in moved if name.startswith("embeddings")]


def test_the_share_of_layers_is_a_setting(tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder) -> None:
    result = trained(tagger, pool, images=images, config=replace(QUICK, epochs=1, share=1.0))
    assert result.images is not None
    assert "stem.0.weight" in changed(images.network, result.images.network)
    with pytest.raises(ValueError, match=r"share of 0.*above 0 and up to 1"):
        trained(tagger, pool, images=images, config=replace(QUICK, share=0))


@pytest.mark.slow
def test_the_loss_on_gold_falls_and_further_than_under_the_encoder_as_it_was(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder
) -> None:
    """Over three seeds: one alone may tell more of its draw, or of the processor's rounding, than of the encoder."""

    def losses(seed: int, rate: float) -> list[float]:
        calm = {"width": 16, "dropout": 0.0}
        still = replace(TRAIN, seed=seed, logit_penalty=0.0, modality_dropout=0.0, weak_weight=0.0, network=calm)
        longer = replace(still, first=(Phase("refine", 12, PARTS, 1e-2),))
        # A network that has not learned to look would ask nothing of an encoder.
        looking = fit(replace(tagger, network=None), Problem(pool, GOLD, FAMILIES), longer)
        reports: list[EpochReport] = []
        config = replace(QUICK, epochs=16, learning_rate=rate, share=1.0, training=still)
        trained(looking, pool, images=images, config=config, reports=reports)
        assert [(report.phase, report.epoch) for report in reports] == [("refine", n) for n in range(1, 17)]
        return [report.gold_loss for report in reports]

    learned, still = [losses(seed, 1e-3) for seed in (3, 4, 5)], [losses(seed, 0.0) for seed in (3, 4, 5)]
    first, last = sum(run[0] for run in learned) / 3, sum(run[-1] for run in learned) / 3
    assert last < 0.8 * first
    assert last < 0.9 * sum(run[-1] for run in still) / 3


def test_the_same_seed_gives_the_same_encoders_and_another_others(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder
) -> None:
    def prints(seed: int) -> tuple[str, str]:
        torch.manual_seed(seed + 99)
        config = replace(QUICK, epochs=1, training=replace(TRAIN, seed=seed))
        result = trained(tagger, pool, images=images, texts=texts, config=config)
        assert result.images is not None
        assert result.texts is not None
        return result.images.fingerprint, result.texts.fingerprint

    assert prints(3) == prints(3) != prints(4)


def test_a_training_without_pictures_opens_and_augments_none(
    tagger: Tagger, pool: list[ItemFeatures], texts: TransformerTextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "augmented", None)
    problem = Problem(pool, GOLD, FAMILIES)
    train_encoders(tagger, problem, lambda row: pytest.fail(f"{row}"), EncoderPair(None, texts), QUICK)


def test_a_training_can_be_cancelled_between_epochs(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder
) -> None:
    def stop(_: EpochReport) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        train_encoders(
            tagger,
            Problem(pool, GOLD, FAMILIES),
            PICTURES.__getitem__,
            EncoderPair(images, None),
            QUICK,
            on_epoch=stop,
        )


def test_a_trained_encoder_makes_another_space(
    tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder, texts: TransformerTextEncoder, tmp_path: Path
) -> None:
    new = trained(tagger, pool, texts=texts).texts
    assert new is not None
    loaded = TransformerTextEncoder(save_text_encoder(new, tmp_path))
    spaces = [FeatureExtractor(images, encoder, FixedReader(())).space for encoder in (texts, new, loaded)]
    assert spaces[0] != spaces[1] == spaces[2]
    assert not torch.equal(encoded(images, new)[1].title_E, pool[1].title_E)


@pytest.mark.parametrize(
    ("gold", "asks", "words"),
    [
        (GOLD, "", "name an encoder"),
        ({}, "image", "no gold label"),
        ({7: GOLD[7]}, "image", "no labelled item has a picture"),
        (GOLD, "cold", "no trained network"),
        (GOLD, "other", "trained on other encoders"),
        (GOLD, "form", "another form than config.training"),
    ],
)
def test_what_is_missing_is_told(
    gold: dict[int, Gold], asks: str, words: str, tagger: Tagger, pool: list[ItemFeatures], images: GridEncoder
) -> None:
    wide = GridEncoder(SmallResNet((8, 24), (1, 1)), images.preprocessing, "wide")
    with pytest.raises(ValueError, match=words):
        train_encoders(
            replace(tagger, network=None) if asks == "cold" else tagger,
            Problem(pool, gold, FAMILIES),
            PICTURES.__getitem__,
            EncoderPair({"": None, "other": wide}.get(asks, images), None),
            replace(QUICK, training=replace(TRAIN, network={})) if asks == "form" else QUICK,
        )


def test_a_network_that_torchvision_traces_trains_in_evaluation_mode(
    tagger: Tagger, pool: Sequence[ItemFeatures]
) -> None:
    """Its copies come in training mode: batch normalisation would take the batch's statistics."""
    torch.manual_seed(1)
    traced = until_pooling(models.get_model("resnet18", weights=None).eval())
    images = GridEncoder(traced, Preprocessing(64, (0.5,) * 3, (0.25,) * 3), "traced")
    live = live_of(tagger, pool, images=images)
    assert not any(module.training for module in live.encoders[IMAGE].modules())
    pixels_N3HW = images.preprocessing(PICTURES[:4])
    with torch.no_grad():
        assert torch.equal(live.encoders[IMAGE](pixels_N3HW), images.network(pixels_N3HW))
