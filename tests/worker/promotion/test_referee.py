import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.boxes.model import BoxModel
from model.items import Gold
from model.lexicon.lexicon import Lexicon
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from model.weak_supervision.boxes import BoxSource, LearnedBoxes
from testing.shop import LABELS, SHOP
from worker.corpus.corpus import Corpus
from worker.promotion.gate import judge
from worker.promotion.referee import Answer, Referee

SERVED = "v1.aaaa"
GOLD = 20
HELD_OUT = frozenset(range(0, GOLD, 5))
QUICK = TrainConfig(use_network=False)
COLD = Tagger.cold_start(LABELS, space="space", seed=7, with_boxes=False)


def corpus_of(gold: int) -> Corpus:
    """Items of a family each, the first so many of them with gold; a fifth of the first twenty is held out."""
    made = [SHOP.item(number) for number in range(40)]
    features, said = [one for one, _ in made], dict(enumerate(said for _, said in made[:gold]))
    ids = tuple(1000 + row for row in range(40))
    return Corpus(ids, tuple(map(str, ids)), Problem(features, said, list(map(str, ids)), HELD_OUT))


def trained() -> Tagger:
    corpus = corpus_of(GOLD)
    return fit(COLD, Problem(corpus.problem.pool, corpus.problem.trainable, corpus.problem.families), QUICK)


def referee_of(gold: int, folder: Path, *, is_trained: bool = True) -> Referee:
    served = trained() if is_trained else COLD
    return Referee(corpus_of(gold), served.named(SERVED), QUICK, folder)


def answer(given: Sequence[bool]) -> Answer:
    return Answer([int(yes) for yes in given], [0.9 if yes else 0.1 for yes in given])


def answers_of(gold: int) -> dict[int, Answer]:
    return {1000 + row: answer([True] * len(LABELS)) for row in range(gold)}


def test_gold_that_the_served_version_has_learned_and_never_answered_unseen_says_nothing(tmp_path: Path) -> None:
    """It was judged by held-out gold, which is short now: on its own gold it would look better than anybody can be."""
    referee_of(GOLD, tmp_path).keep({}, SERVED)
    later = referee_of(GOLD + 4, tmp_path)
    assert not later.can_judge_early
    evidence = later.evidence(COLD, answers_of(24))
    assert sorted(evidence.families) == [str(1000 + row) for row in (0, 5, 10, 15, 20, 21, 22, 23)]


def test_what_it_answered_unseen_stands_for_gold_that_it_has_learned(tmp_path: Path) -> None:
    no = answer([False] * len(LABELS))
    referee_of(GOLD, tmp_path).keep({1001: no, 1002: no}, SERVED)
    evidence = referee_of(GOLD, tmp_path).evidence(COLD, answers_of(GOLD))
    assert sorted(evidence.families) == [str(1000 + row) for row in (0, 1, 2, 5, 10, 15)]
    learned = [evidence.families.index("1001"), evidence.families.index("1002")]
    assert not evidence.served.given_NK[learned].any()
    assert (evidence.served.probability_NK[learned] == 0.1).all()


def test_what_an_older_release_kept_without_probabilities_gives_no_answers(tmp_path: Path) -> None:
    referee_of(GOLD, tmp_path).keep(answers_of(GOLD), SERVED)
    file = tmp_path / f"{SERVED}.json"
    kept = json.loads(file.read_text())
    del kept["probabilities"]
    file.write_text(json.dumps(kept))
    evidence = referee_of(GOLD, tmp_path).evidence(COLD, answers_of(GOLD))
    assert sorted(evidence.families) == [str(1000 + row) for row in sorted(HELD_OUT)]


@pytest.mark.parametrize(("is_trained", "rows"), [(True, len(HELD_OUT)), (False, GOLD)])
def test_a_version_whose_evidence_is_lost_answers_what_it_cannot_have_seen(
    tmp_path: Path, is_trained: bool, rows: int
) -> None:
    (tmp_path / f"{SERVED}.json").write_text("{")
    referee = referee_of(GOLD, tmp_path, is_trained=is_trained)
    evidence = referee.evidence(COLD, answers_of(GOLD))
    assert len(evidence.gold_NK) == rows


def test_where_it_can_have_seen_all_it_is_compared_all_the_same(tmp_path: Path) -> None:
    referee = referee_of(GOLD, tmp_path)
    problem = replace(referee._corpus.problem, held_out=frozenset())
    referee._corpus = replace(referee._corpus, problem=problem)
    evidence = referee.evidence(COLD, answers_of(GOLD))
    assert len(evidence.gold_NK) == GOLD
    assert evidence.candidate.given_NK.all()


def accepting(referee: Referee, rows: Iterable[int], version: str) -> Referee:
    """The same referee over gold that took a version's proposals over unchanged in these rows."""
    gold = dict(referee._corpus.problem.gold)
    for row in rows:
        gold[row] = replace(gold[row], accepted=version)
    referee._corpus = with_gold(referee._corpus, gold)
    return referee


def with_gold(corpus: Corpus, gold: Mapping[int, Gold]) -> Corpus:
    return replace(corpus, problem=replace(corpus.problem, gold=gold))


@pytest.mark.parametrize("unnamed", [SERVED, ""])
def test_an_accepted_proposal_does_not_judge_the_version_that_proposed_it(tmp_path: Path, unnamed: str) -> None:
    referee = accepting(referee_of(GOLD, tmp_path, is_trained=False), range(8), unnamed)
    evidence = referee.evidence(COLD, answers_of(GOLD))
    assert sorted(evidence.families) == [str(1000 + row) for row in range(8, GOLD)]
    assert evidence.by_hand_N.all()


def test_an_accepted_proposal_of_an_older_version_counts_and_is_told_apart(tmp_path: Path) -> None:
    referee = accepting(referee_of(GOLD, tmp_path, is_trained=False), range(8), "v0.0000")
    evidence = referee.evidence(COLD, answers_of(GOLD))
    assert len(evidence.families) == GOLD
    assert int(evidence.by_hand_N.sum()) == GOLD - 8
    verdict = judge(evidence, must_gain=False)
    assert verdict.metrics["items_by_hand"] == GOLD - 8
    assert f"({GOLD - 8} of them changed by people)" in verdict.reason


def test_where_all_gold_accepts_the_served_version_nothing_judges(tmp_path: Path) -> None:
    referee = accepting(referee_of(GOLD, tmp_path, is_trained=False), range(GOLD), SERVED)
    verdict = judge(referee.evidence(COLD, answers_of(GOLD)), must_gain=False)
    assert (verdict.accepted, verdict.metrics["items"]) == (False, 0)


def test_what_is_unknown_counts_neither_way(tmp_path: Path) -> None:
    """The candidate is wrong on every price of which the gold knows nothing, and right elsewhere."""
    referee = referee_of(GOLD, tmp_path, is_trained=False)
    gold = referee._corpus.problem.gold
    open_ = {
        row: replace(said, labels=said.labels - {"价格"}, unknown=frozenset({"价格"})) for row, said in gold.items()
    }
    corpus = with_gold(referee._corpus, open_)
    referee = Referee(corpus, COLD.named(SERVED), QUICK, tmp_path)
    answers = {
        1000 + row: answer([label in corpus.problem.gold[row].labels or label == "价格" for label in LABELS])
        for row in range(GOLD)
    }
    evidence = referee.evidence(COLD, answers)
    price = LABELS.index("价格")
    assert not evidence.known_NK[:, price].any()
    assert evidence.scores(np.ones(GOLD, dtype=bool))[1] == pytest.approx(4 / 5), "all but the price are right"


def test_a_collapse_is_told_though_no_gold_item_was_read_whole(tmp_path: Path) -> None:
    referee = referee_of(GOLD, tmp_path, is_trained=False)
    gold = referee._corpus.problem.gold
    open_ = {row: replace(said, unknown=frozenset(LABELS) - said.labels) for row, said in gold.items()}
    referee = Referee(with_gold(referee._corpus, open_), COLD.named(SERVED), QUICK, tmp_path)
    never = replace(COLD, calibration=replace(COLD.calibration, threshold_K=COLD.calibration.threshold_K * 0 + 2))
    assert "only 0 fully read gold items" in referee.collapse(never)
    assert referee.collapse(COLD) == ""


def test_boxes_that_have_spoken_of_the_pool_are_not_asked_again_for_a_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    referee = referee_of(GOLD, tmp_path, is_trained=False)
    source = BoxSource(torch.zeros(len(LABELS), dtype=torch.float64))
    candidate = replace(COLD, box_model=BoxModel.cold_start(LABELS, Lexicon.load()), box_source=source)
    silent = LearnedBoxes.silent(len(referee._corpus.problem.pool), len(LABELS))
    monkeypatch.setattr(BoxModel, "see", lambda *_: pytest.fail("asked again"))
    assert referee.collapse(candidate, silent) == ""
