"""Trainings that use what is known of a shop: for boxes, for tags too, or not at all."""

from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.items import Gold
from model.knowledge.facts import Fact, People, Relation
from model.knowledge.shop import BRANDS, SOURCES
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.folds import out_of_fold
from model.training.progressive import fit
from tests.model.knowledge.pictures import CORNER, LABELS, MIDDLE, gold, picture

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(seed=3, use_network=False)
# Marks of two brands, on every second picture of six products, and two pictures of a new product.
POOL = [picture({CORNER: 1 + row // 2 % 2} if row % 2 else {MIDDLE: 50 + row}, seed=row) for row in range(12)]
POOL += [picture({CORNER: 1}, seed=90), picture({MIDDLE: 77}, seed=91)]
GOLD = {row: gold(LOGO=CORNER) if row % 2 else Gold(frozenset(), ()) for row in range(12)}
FAMILIES = [f"p{row // 2}" for row in range(12)] + ["new", "new"]
TASKS = tuple(range(100, 114))


def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="test", seed=3)


def problem(people: People | None) -> Problem:
    return Problem(POOL, GOLD, FAMILIES, people=people)


def test_without_people_nothing_of_the_shop_is_in_a_tagger() -> None:
    boxes = learn_boxes(cold(), problem(None), seed=3)
    assert boxes.shop is None
    assert boxes.model is not None
    assert boxes.model.looks is None
    tagger = fit(cold(), problem(None), CONFIG)
    assert BRANDS not in tagger.sources.names
    assert "shop" not in tagger.state().facts
    assert "looks" not in tagger.state().facts, "earlier releases read such a checkpoint"


def test_a_tagger_that_knows_the_shop_weighs_it_by_gold_and_answers_the_same_once_stored(tmp_path: Path) -> None:
    tagger = fit(cold(), problem(People({}, TASKS)), CONFIG)
    assert tagger.sources.names[-len(SOURCES) :] == SOURCES
    assert tagger.label_model.accuracies(LABELS)[BRANDS]["LOGO"] > 0.8
    known, strange = tagger.probabilities(POOL[12:])[:, 0].tolist()
    assert known > strange
    folder = tmp_path / "v1"
    checkpoint.save(tagger, folder, version="v1.test")
    stored = checkpoint.load(folder)
    assert torch.allclose(stored.probabilities(POOL), tagger.probabilities(POOL), atol=0.02)
    assert stored.box_model is not None
    assert stored.box_model.looks is not None


def test_for_boxes_alone_looks_are_learned_and_no_source_speaks() -> None:
    tagger = fit(cold(), problem(People({}, TASKS, speaks=False)), CONFIG)
    assert tagger.sources.shop is None
    assert tagger.box_model is not None
    assert tagger.box_model.looks is not None
    (found,) = tagger.box_model.predict(POOL[12:13], faint=True)
    logos = [box for box in found if box.label == "LOGO"]
    assert logos
    assert logos[0].box.iou(CORNER) > 0.5


def test_answers_to_gold_come_without_what_its_own_product_taught() -> None:
    tagger = fit(cold(), problem(People({}, TASKS)), CONFIG)
    own = tagger.opinions(POOL[1:2]).log_odds_SNK
    apart = tagger.unaware_of({"p0", "p2", "p4"}).opinions(POOL[1:2]).log_odds_SNK
    place = tagger.sources.names.index(BRANDS)
    assert own[place, 0, 0] > apart[place, 0, 0], "the only products with this mark taught it"
    answers = out_of_fold(cold(), problem(People({}, TASKS)), CONFIG, folds=2)
    assert answers.probability_NK[:12].isfinite().all()


def test_what_people_said_is_heard_by_the_next_training() -> None:
    said = {Fact(Relation.ELEMENT, "家电", "文案"): True}
    heard = fit(cold(), problem(People(said, TASKS)), CONFIG)
    silent = fit(cold(), problem(People({}, TASKS)), CONFIG)
    rules = heard.sources.names.index(SOURCES[2])
    assert heard.opinions(POOL[:1]).log_odds_SNK[rules, 0, 2] > silent.opinions(POOL[:1]).log_odds_SNK[rules, 0, 2]
