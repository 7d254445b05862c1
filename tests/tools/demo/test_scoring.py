"""Scores of served predictions."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox
from testing.label_studio.payloads import Json
from tests.tools.demo.stub import tags
from tools.demo.data import Subject
from tools.demo.scoring import majority, score_served, score_tags

LABELS = ("主体", "LOGO", "价格")


def subject(*labels: str, boxes: GoldPicture | None = None) -> Subject:
    return Subject(Path("a.png"), (8, 8), "", ("", ""), frozenset(labels), boxes, "p")


def rectangle(label: str, x: float) -> Json:
    value = {"x": x, "y": 0, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": [label]}
    return {"type": "rectanglelabels", "score": 0.9, "value": value}


def test_f1_agrees_with_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    gold_NK, given_NK = draw.random((50, 3)) < 0.5, draw.random((50, 3)) < 0.4
    sets = [[frozenset(np.array(LABELS)[row]) for row in matrix] for matrix in (given_NK, gold_NK)]
    scores = score_tags(sets[0], sets[1], LABELS)
    assert scores.macro_f1 == pytest.approx(f1_score(gold_NK, given_NK, average="macro"))
    assert scores.weighted_f1 == pytest.approx(f1_score(gold_NK, given_NK, average="weighted"))


def test_a_label_that_nobody_has_does_not_count() -> None:
    assert score_tags([frozenset({"LOGO"})], [frozenset({"LOGO"})], LABELS).macro_f1 == 1.0


def test_served_tags_and_boxes_are_read_from_the_answer() -> None:
    gold = GoldPicture((LabelledBox("LOGO", Box(0.1, 0.0, 0.3, 0.2)),))
    results: list[Json] = [
        {"result": [*tags("LOGO", "主体"), rectangle("LOGO", 10)]},
        {"result": tags("主体")},
        {"result": []},
    ]
    scores = score_served(results, [subject("LOGO", "主体", boxes=gold), subject("主体"), subject()], LABELS)
    assert scores.macro_f1 == 1.0
    assert scores.boxes == 1.0
    misplaced: list[Json] = [{"result": [*tags("LOGO", "主体"), rectangle("LOGO", 60)]}, *results[1:]]
    assert score_served(misplaced, [subject("LOGO", "主体", boxes=gold), subject("主体"), subject()], LABELS).boxes == 0


def test_without_gold_boxes_there_is_no_map() -> None:
    assert score_served([{"result": tags("主体")}], [subject("主体")], LABELS).boxes is None


def test_majority_gives_what_more_than_half_has() -> None:
    seen = [frozenset({"主体"}), frozenset({"主体", "LOGO"}), frozenset[str]()]
    scores = majority(seen, [subject("主体"), subject("LOGO")], LABELS)
    assert scores.per_label == {"主体": pytest.approx(2 / 3), "LOGO": 0.0}
