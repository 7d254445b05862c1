import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import model.evaluation.corpus
import model.evaluation.run
import model.training.progressive
from model.attention.network import NetworkConfig
from model.boxes.effort import Seconds
from model.evaluation.corpus import LabelledCorpus, Split, families_at, split
from model.evaluation.methods import ABLATIONS, MethodAnswers, methods, trained
from model.evaluation.run import Result, RunPlan, heard, read, reliability, run, steps, tagger_fingerprint
from model.evaluation.tables import by_part, f1_table
from model.features.item import ItemFeatures
from model.lexicon.lexicon import Lexicon
from model.metrics import macro_f1
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.label_model import Opinions
from testing.shop import LABELS, SMALL

ITEMS, GOLD, FAMILIES = SMALL.pool(60)


@pytest.fixture(scope="module")
def corpus() -> LabelledCorpus:
    gold = [GOLD[row].labels if row < 50 else None for row in range(60)]
    return LabelledCorpus(LABELS, tuple(ITEMS), tuple(gold), tuple(FAMILIES))


def test_families_are_never_on_both_sides(corpus: LabelledCorpus) -> None:
    drawn = split(corpus, families=10, seed=1)
    assert not {FAMILIES[row] for row in drawn.gold} & {FAMILIES[row] for row in drawn.test}
    assert sorted((*drawn.gold, *drawn.test)) == list(range(50))
    assert drawn.gold != split(corpus, families=10, seed=2).gold
    assert drawn.gold == split(corpus, families=10, seed=1).gold


def test_fractions_leave_something_to_test_on(corpus: LabelledCorpus) -> None:
    assert [families_at(corpus, share) for share in (0, 0.001, 0.2, 0.999, 1)] == [0, 1, 5, 20, 20]
    with pytest.raises(ValueError, match="from 0 to 1"):
        families_at(corpus, 1.5)
    with pytest.raises(ValueError, match="nothing to test on"):
        split(corpus, families=25, seed=0)


def test_validation_gives_no_gold_and_has_results_of_its_own(corpus: LabelledCorpus) -> None:
    validation = frozenset(row for row in range(50) if FAMILIES[row] in sorted(set(FAMILIES[:50]))[:6])
    measured = replace(corpus, validation=validation)
    families = families_at(measured, 1)
    every = split(measured, families=families, seed=0)
    assert set(every.gold) == set(range(50)) - validation
    assert set(every.test) == validation
    assert list(every.parts) == ["validation"]
    some = split(measured, families=5, seed=0)
    assert not validation & set(some.gold)
    assert {part: {some.test[place] for place in places} for part, places in some.parts.items()} == {
        "validation": set(validation), "other products": set(range(50)) - validation - set(some.gold),
    }  # fmt: skip
    names = ["image, logistic regression"]
    found = run(measured, RunPlan(gold_families=[5, families], seeds=[0], names=names))
    assert [(one.gold_families, one.part) for one in found] == [
        (5, "other products"), (5, "validation"), (families, "validation"),
    ]  # fmt: skip
    # The other products are scored as without a validation part.
    truth_NK, answers = measured.truth(some.test).numpy(), methods()[names[0]](some)
    places = some.parts["other products"]
    assert found[0].macro_f1 == macro_f1(truth_NK[places], answers.given_NK.numpy()[places])
    assert "validation" not in f1_table(by_part(found)["other products"]).markdown()
    assert replace(corpus).fingerprint != measured.fingerprint


@pytest.mark.parametrize("name", sorted(set(methods()) - {"Tagloom"}))
@pytest.mark.slow
def test_each_method_answers_the_test_items(corpus: LabelledCorpus, name: str) -> None:
    drawn = split(corpus, families=8, seed=0)
    answers = methods()[name](drawn)
    assert answers.probability_NK.shape == answers.given_NK.shape == (len(drawn.test), len(LABELS))
    assert answers.probability_NK.isfinite().all()


def test_methods_of_one_draw_share_what_was_learned_of_boxes(
    corpus: LabelledCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []

    def learn(*given: Any, seed: int, **options: Any) -> LearnedBoxes:
        learned.append(seed)
        return learn_boxes(*given, seed=seed, **options)

    def method(drawn: Split) -> MethodAnswers:
        trained(drawn, use_network=False)
        return methods()["cold start"](drawn)

    monkeypatch.setattr(model.evaluation.corpus, "learn_boxes", learn)
    monkeypatch.setattr(model.training.progressive, "learn_boxes", learn)
    monkeypatch.setattr(model.evaluation.run, "methods", lambda: {"one": method, "other": method})
    run(corpus, RunPlan(gold_families=[5], seeds=[0, 1], names=["one", "other"]))
    assert learned == [0, 1]


def test_boxes_are_left_out_by_name(corpus: LabelledCorpus) -> None:
    assert "no boxes" in methods()
    drawn = split(corpus, families=5, seed=0)
    with_boxes = trained(drawn, use_network=False)
    assert with_boxes.box_source is not None
    without = trained(drawn, use_network=False, **ABLATIONS["no boxes"])
    assert without.box_source is None
    assert without.box_model is with_boxes.box_model


def test_without_gold_tagloom_is_the_cold_start(corpus: LabelledCorpus) -> None:
    found = run(corpus, RunPlan(gold_families=[0], seeds=[0], names=["Tagloom", "cold start"]))
    assert found[0].macro_f1 == found[1].macro_f1
    assert found[0].gold_items == 0


def test_a_killed_run_goes_on(corpus: LabelledCorpus, tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    names = ["cold start", "image, logistic regression"]
    first = run(corpus, RunPlan(gold_families=[5], seeds=[0], names=names[:1], results=kept))
    kept.write_bytes(kept.read_bytes() + '{"method": "价'.encode()[:-1])
    assert read(kept) == first
    second = run(corpus, RunPlan(gold_families=[5], seeds=[0], names=names, results=kept))
    assert second[0] == first[0]
    assert read(kept) == second
    seen: list[Result] = []
    assert (
        run(corpus, RunPlan(gold_families=[5], seeds=[0], names=names, results=kept), on_results=seen.extend)
        == second
        == seen
    )


def test_the_table_tells_mean_spread_and_difference(corpus: LabelledCorpus) -> None:
    found = run(corpus, RunPlan(gold_families=[5], seeds=[0, 1], names=["cold start", "image, logistic regression"]))
    told = f1_table(found, against="cold start").markdown().splitlines()
    assert told[0] == "| method | 5 gold products |"
    assert "±" in told[2]
    assert "(" in told[3]


def test_unknown_methods_and_misfits_are_told(corpus: LabelledCorpus) -> None:
    with pytest.raises(ValueError, match="unknown methods"):
        run(corpus, RunPlan(gold_families=[1], seeds=[0], names=["magic"]))
    with pytest.raises(ValueError, match="do not fit"):
        LabelledCorpus(LABELS, tuple(ITEMS), (), tuple(FAMILIES))
    with pytest.raises(ValueError, match="two product families"):
        LabelledCorpus(LABELS, tuple(ITEMS), (None,) * 60, tuple(FAMILIES))


def test_results_of_other_data_or_other_prices_are_not_taken(corpus: LabelledCorpus, tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    plan = RunPlan(gold_families=[0], seeds=[0], names=["cold start"], results=kept)
    run(corpus, plan)
    run(corpus, plan)
    assert len(read(kept)) == 1
    run(corpus, replace(plan, prices=Seconds(draw=9)))
    relabelled = (frozenset[str](), *corpus.gold[1:])
    run(replace(corpus, gold=relabelled), plan)
    assert len(read(kept)) == 3


def changed(item: ItemFeatures, name: str) -> ItemFeatures:
    """The item with one field that says something else."""
    if name == "texts":
        return replace(item, texts={"description": "新品"}, texts_E={"description": item.title_E})
    if name in ("title", "industry"):
        return replace(item, **{name: "another" if name == "title" else ("another",)})  # type: ignore[arg-type]
    tensor = getattr(item, name)
    return replace(item, **{name: tensor + 1 if tensor.numel() else tensor.new_ones(1, 4)})


@pytest.mark.parametrize(
    "name",
    ["image_C", "grid_RC", "title_E", "tokens_TE", "reading_E", "thumbnail_HW3", "industry_LE", "title", "industry",
     "texts"],
)  # fmt: skip
def test_whatever_a_tagger_is_told_of_an_item_changes_the_fingerprint(corpus: LabelledCorpus, name: str) -> None:
    other = replace(corpus, features=(changed(corpus.features[0], name), *corpus.features[1:]))
    assert other.fingerprint != corpus.fingerprint
    assert replace(corpus).fingerprint == corpus.fingerprint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FORMAT", -1),
        ("TrainConfig", partial(TrainConfig, weak_weight=0.5)),
        ("NetworkConfig", partial(NetworkConfig, width=3)),
    ],
)
def test_results_of_another_tagger_are_not_taken(
    corpus: LabelledCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    kept = tmp_path / "results.jsonl"
    run(corpus, RunPlan(gold_families=[0], seeds=[0], names=["cold start"], results=kept))
    monkeypatch.setattr(model.evaluation.run, name, value)
    run(corpus, RunPlan(gold_families=[0], seeds=[0], names=["cold start"], results=kept))
    assert len(read(kept)) == 2


def test_results_with_another_lexicon_are_not_taken(corpus: LabelledCorpus, tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    for lexicon in (Lexicon.load(), Lexicon()):
        run(replace(corpus, lexicon=lexicon), RunPlan(gold_families=[0], seeds=[0], names=["cold start"], results=kept))
    known, unknown = read(kept)
    assert known.macro_f1 > unknown.macro_f1 == 0.0


@pytest.mark.slow
def test_the_same_tagger_has_the_same_fingerprint_in_another_process() -> None:
    code = (
        "from model.evaluation.run import tagger_fingerprint as made\n"
        "from model.lexicon.lexicon import Lexicon\n"
        "print(made(Lexicon.load()))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == tagger_fingerprint(Lexicon.load())


def test_reliability_counts_every_answer_once() -> None:
    truth, probability = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.95, 0.05], [1.0, 0.0]])
    assert reliability(truth, probability) == [[pytest.approx(0.025), 0.0, 2], [pytest.approx(0.975), 1.0, 2]]


def test_sources_are_right_where_they_speak() -> None:
    said = torch.tensor([[[2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]]]).double()
    opinions = Opinions(("a cue",), said, torch.ones(1, 2).double(), torch.zeros(2).double())
    truth = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert heard(opinions, truth, ["价格", "LOGO"]) == {"a cue": {"价格": [3, 2]}}


def test_without_gold_only_what_needs_none_is_run(corpus: LabelledCorpus) -> None:
    names = ["Tagloom", "late fusion", "no gate"]
    assert steps([0, 5], [1], names) == [(0, 1, "Tagloom"), *((5, 1, name) for name in names)]
    assert corpus.truth([]).shape == (0, len(LABELS))


def test_what_nobody_knows_counts_neither_way(corpus: LabelledCorpus) -> None:
    name = "image, logistic regression"
    (whole,) = run(corpus, RunPlan(gold_families=[8], seeds=[0], names=[name]))
    tested = set(split(corpus, families=8, seed=0).test)
    open_ = [frozenset({"价格"}) if row in tested else frozenset[str]() for row in range(60)]
    (masked,) = run(replace(corpus, unknown=tuple(open_)), RunPlan(gold_families=[8], seeds=[0], names=[name]))
    assert whole.class_f1["价格"] > 0
    assert masked.class_f1 == whole.class_f1 | {"价格": 0.0}
    assert sum(count for *_, count in whole.reliability) - sum(count for *_, count in masked.reliability) == len(tested)


def test_plain_methods_learn_from_gold_that_is_known(corpus: LabelledCorpus) -> None:
    name = "image, logistic regression"
    (whole,) = run(corpus, RunPlan(gold_families=[8], seeds=[0], names=[name]))
    some = set(split(corpus, families=8, seed=0).gold[::2])
    denied = [labels - {"价格"} if labels and row in some else labels for row, labels in enumerate(corpus.gold)]
    open_ = [frozenset({"价格"}) if row in some else frozenset[str]() for row in range(60)]
    (wrong,) = run(replace(corpus, gold=tuple(denied)), RunPlan(gold_families=[8], seeds=[0], names=[name]))
    (masked,) = run(
        replace(corpus, gold=tuple(denied), unknown=tuple(open_)), RunPlan(gold_families=[8], seeds=[0], names=[name])
    )
    assert masked.class_f1["LOGO"] == wrong.class_f1["LOGO"] == whole.class_f1["LOGO"]
    assert masked.class_recall["价格"] >= wrong.class_recall["价格"]
