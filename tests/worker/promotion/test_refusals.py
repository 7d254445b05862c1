"""Versions that must not serve, through whole trainings: what comes out of them has gone wrong, the gate notices."""

import copy
import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

import model.training.progressive
import worker.training.run
from model.tagger import Tagger
from model.training.phases import PARTS, Phase
from model.training.progressive import TrainConfig
from store.store import Store
from store.versions import State
from tagloom.settings import Settings
from tests.worker import items, shop
from worker import jobs

KEY = str(shop.KEY)
MEMORISING = partial(
    TrainConfig,
    first=(Phase("base", 30, PARTS, 3e-2), Phase("refine", 1, PARTS, 1e-6)),
    weak_weight=0.0,
    logit_penalty=0.0,
    modality_dropout=0.0,
    weight_decay=0.0,
    network={"dropout": 0.0},
)


def shuffled(tagger: Tagger) -> Tagger:
    """The same tagger, but each class answers by another one's heads: network, regression, trust in the sources."""
    network, regression, model = copy.deepcopy(tagger.network), tagger.regression, tagger.label_model
    assert network
    assert regression
    with torch.no_grad():
        network.head.copy_(network.head.roll(1, dims=0))
    return replace(
        tagger,
        network=network,
        regression=replace(regression, weight_DK=regression.weight_DK.roll(1, 1)),
        label_model=replace(model, bias_K=model.bias_K.roll(1), trust_SK=model.trust_SK.roll(1, 1)),
    )


@pytest.mark.usefixtures("here")
def test_an_over_fitted_training_is_refused_from_the_base_phase_on(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TAGLOOM_HELD_OUT_SHARE", "0.5")
    monkeypatch.setattr(worker.training.run, "TrainConfig", MEMORISING)
    caplog.set_level(logging.INFO, "worker.training.run")
    shop.open_shop(store, settings, tasks=90, make=items.plain)
    shop.annotate(store, range(1, 91), make=items.plain)
    jobs.train(KEY)
    (refused, cold) = store.versions.list(KEY)
    assert f"base of {KEY} is not published: may be worse" in caplog.text
    assert (refused.phase, refused.state, cold.state) == ("refine", State.REFUSED, State.CURRENT)
    assert "may be worse" in refused.reason


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_shuffled_head_is_refused(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_HELD_OUT_SHARE", "0.5")
    shop.open_shop(store, settings, tasks=100)
    shop.annotate(store, range(1, 91))
    jobs.train(KEY)
    before = store.versions.current(KEY)
    whole = model.training.progressive.fit

    def spoilt(*given: Any, on_phase: Any, **options: Any) -> Tagger:
        return shuffled(whole(*given, **options))

    monkeypatch.setattr(worker.training.run, "fit", spoilt)
    shop.annotate(store, range(91, 95))
    jobs.train(KEY)
    newest = store.versions.list(KEY)[0]
    assert newest.state is State.REFUSED
    assert "may be worse" in newest.reason
    assert store.versions.current(KEY) == before
