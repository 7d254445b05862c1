"""The methods of an evaluation: Tagloom, Tagloom without one part (ablations), and baselines on the same features.

Every method answers the test items of a split with probabilities and decisions.

Shape suffixes: N items, K classes, D width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading
from torch import Tensor

from model.attention.fusion import FUSIONS
from model.evaluation.boxes import FoundBoxes, drawn_by
from model.evaluation.corpus import Split
from model.evaluation.standalone import answers, chosen
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.regression.evidence import Evidence
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import ALL_AT_ONCE
from model.training.progressive import fit
from model.weak_supervision.label_model import Opinions

Vectors = NDArray[np.float64]

TAGLOOM = "Tagloom"
COLD = "cold start"
NO_CUES = "no cues"
# The methods that are measured without gold too. Without gold, all other methods equal the cold start or cannot answer.
WITHOUT_GOLD = (TAGLOOM, COLD, NO_CUES)


@dataclass(frozen=True)
class MethodAnswers:
    """The answers of one method to the test items of a split.

    ``given_NK`` is True for labels that the method gives. ``drawn`` are boxes by the name of their method, ``opinions``
    the log-odds of the sources that took part.
    """

    probability_NK: Tensor
    given_NK: Tensor
    drawn: Mapping[str, FoundBoxes] = field(default_factory=dict)
    opinions: Opinions | None = None


Method = Callable[[Split], MethodAnswers]

# No attention between picture and text.
APART = {"image_to_text": False, "text_to_image": False}
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no network": {"use_network": False},
    "no regression": {"use_regression": False},
    "no KNN": {"use_neighbours": False},
    "no industry prior": {"use_industry": False},
    "no boxes": {"use_boxes": False},
    "network without picture": {"network": {"use_image": False}},
    "network without text": {"network": {"use_text": False}},
    "network with industry": {"network": {"use_industry": True}},
    "network without attention between channels": {"network": APART},
    "image to text only": {"network": {"text_to_image": False}},
    "text to image only": {"network": {"image_to_text": False}},
    "no gate": {"network": {"fusion": "average"}},
    **{f"fusion: {name}": {"network": {**APART, "fusion": name}} for name in FUSIONS if name != "gate"},
    "no weak labels": {"weak_weight": 0.0},
    "no progressive schedule": {"first": ALL_AT_ONCE, "continuation": ALL_AT_ONCE},
}

# Changes to the network that stands alone, each a claim of the study.
ALONE: Mapping[str, Mapping[str, Any]] = {
    "network alone": {},
    "network alone: mean pooling": {"network": {"mean_pooling": True}},
    "network alone: no attention between channels": {"network": APART},
    "network alone: image to text only": {"network": {"text_to_image": False}},
    "network alone: text to image only": {"network": {"image_to_text": False}},
    "network alone: no picture": {"network": {"use_image": False}},
    "network alone: no text": {"network": {"use_text": False}},
    "network alone: with industry": {"network": {"use_industry": True}},
    "network alone: no KNN": {"weak_weight": 0.0},
    "network alone: all phases at once": {"first": ALL_AT_ONCE},
    **{f"network alone: {name}": {"network": {**APART, "fusion": name}} for name in FUSIONS if name != "gate"},
}


def methods() -> dict[str, Method]:
    """Return all methods by name, Tagloom first."""
    ours: dict[str, Method] = {
        TAGLOOM: tagloom(draws=True), COLD: cold_start, NO_CUES: tagloom(lexicon=Lexicon()),
    }  # fmt: skip
    ablated = {name: tagloom(**changes) for name, changes in ABLATIONS.items()}
    alone = {name: network_alone(changes) for name, changes in ALONE.items()}
    alone["network alone: settings chosen"] = lambda split: network_alone(chosen(split))(split)
    return {**ours, "no industry": without_industry, **ablated, **alone, **BASELINES}


def network_alone(changes: Mapping[str, Any]) -> Method:
    """Return the network by itself as a method, trained with these changes to its config."""
    return lambda split: MethodAnswers(*answers(split, changes))


def tagloom(*, lexicon: Lexicon | None = None, draws: bool = False, **changes: Any) -> Method:
    """Return Tagloom as a method, trained with these changes to its config; with ``draws`` it answers boxes too."""

    def answer(split: Split) -> MethodAnswers:
        return _answers(trained(split, lexicon=lexicon, **changes), split, TAGLOOM if draws else "")

    return answer


def trained(split: Split, *, lexicon: Lexicon | None = None, **changes: Any) -> Tagger:
    """Return the tagger trained on a split's gold; the cold start without gold."""
    cold = split.cold_start(lexicon)
    if not split.gold:
        return cold
    config = replace(TrainConfig(seed=split.seed), **changes)
    # The split's boxes were learned with the corpus's lexicon, so they are of no use with another one.
    boxes = None if lexicon and config.use_boxes else split.boxes
    return fit(cold, replace(split.problem, boxes=boxes), config)


def without_industry(split: Split) -> MethodAnswers:
    """Answer with Tagloom on items without their industry, so that no part of it sees an industry."""
    bare = tuple(replace(item, industry=(), industry_LE=item.industry_LE[:0]) for item in split.corpus.features)
    blind = replace(split, corpus=replace(split.corpus, features=bare))
    return _answers(trained(blind), blind)


def cold_start(split: Split) -> MethodAnswers:
    """Answer with cues and priors alone; gold is not used."""
    return _answers(split.cold_start(), split, COLD)


def _answers(tagger: Tagger, split: Split, name: str = "") -> MethodAnswers:
    """Return a tagger's answers to the test items, with boxes where a ``name`` for them is given."""
    items = [split.corpus.features[row] for row in split.test]
    boxes_NK = tagger.box_opinions(items)
    probability_NK = tagger.probabilities(items, boxes_NK)
    given_NK = tagger.calibration.decide(probability_NK)
    drawn = drawn_by(tagger, split, name) if name else {}
    return MethodAnswers(probability_NK, given_NK, drawn, tagger.opinions(items, boxes_NK))


# Answers one class on the test rows, from the pool's vectors, the rows whose gold is known, and their gold.
Column = Callable[[Vectors, list[int], NDArray[np.int_]], Vectors]


def _each_class(split: Split, answer: Column, parts: tuple[str, ...]) -> Tensor:
    """Return probabilities (N, K), each class from ``answer`` on the concatenated ``parts`` of the evidence.

    A class whose gold is all yes or all no has its share in the gold as probability, one without gold 0.5.
    """
    corpus = split.corpus
    # The same evidence that Tagloom's regression uses, by modality, over the whole pool; and which cues fire.
    cues = CueSet(corpus.labels, corpus.lexicon)
    evidence = Evidence.of(corpus.features, cues).parts(corpus.features, cues)
    vectors: dict[str, Vectors] = {part: values.double().numpy() for part, values in evidence.items()}
    vectors["cues"] = (cues.opinions(corpus.features).sum(2).T != 0).double().numpy() / 2
    x_ND = np.hstack([vectors[part] for part in parts])
    truth_NK = corpus.truth(split.gold).numpy()
    columns = []
    for k in range(truth_NK.shape[1]):
        known_N = ~np.isnan(truth_NK[:, k])
        y_N = truth_NK[known_N, k].astype(np.int_)
        rows = [row for row, known in zip(split.gold, known_N.tolist(), strict=True) if known]
        one_sided = not len(y_N) or y_N.min() == y_N.max()
        share = float(y_N.mean()) if len(y_N) else 0.5
        columns.append(np.full(len(split.test), share) if one_sided else answer(x_ND, rows, y_N))
    return torch.from_numpy(np.stack(columns, axis=1))


def _plain(probability_NK: Tensor) -> MethodAnswers:
    return MethodAnswers(probability_NK, probability_NK > 0.5)


def logistic(*parts: str) -> Method:
    """Return balanced logistic regression on these parts of the evidence as a method."""

    def answer(split: Split) -> MethodAnswers:
        def column(x_ND: Vectors, rows: list[int], y_N: NDArray[np.int_]) -> Vectors:
            model = LogisticRegression(C=10, class_weight="balanced", max_iter=500)
            probability_N: Vectors = model.fit(x_ND[rows], y_N).predict_proba(x_ND[list(split.test)])[:, 1]
            return probability_N

        return _plain(_each_class(split, column, parts))

    return answer


def forest(*parts: str) -> Method:
    """Return a random forest on these parts of the evidence as a method."""

    def answer(split: Split) -> MethodAnswers:
        def column(x_ND: Vectors, rows: list[int], y_N: NDArray[np.int_]) -> Vectors:
            model = RandomForestClassifier(
                300, class_weight="balanced_subsample", min_samples_leaf=2, random_state=split.seed
            )
            probability_N: Vectors = model.fit(x_ND[rows], y_N).predict_proba(x_ND[list(split.test)])[:, 1]
            return probability_N

        return _plain(_each_class(split, column, parts))

    return answer


def late_fusion(*methods: Method) -> Method:
    """Return the mean of these methods' probabilities as a method."""

    def answer(split: Split) -> MethodAnswers:
        return _plain(torch.stack([method(split).probability_NK for method in methods]).mean(0))

    return answer


def label_spreading(*parts: str) -> Method:
    """Return scikit-learn's LabelSpreading over the whole pool (Zhou et al., 2004) as a method."""

    def answer(split: Split) -> MethodAnswers:
        def column(x_ND: Vectors, rows: list[int], y_N: NDArray[np.int_]) -> Vectors:
            target_N = np.full(len(x_ND), -1)
            target_N[rows] = y_N
            model = LabelSpreading(kernel="knn", n_neighbors=10, max_iter=100).fit(x_ND, target_N)
            spread_N: Vectors = model.label_distributions_[list(split.test), 1]
            return np.nan_to_num(spread_N, nan=0.5)

        return _plain(_each_class(split, column, parts))

    return answer


BASELINES: Mapping[str, Method] = {
    "image, logistic regression": logistic("image"),
    "read text and blocks, logistic regression": logistic("reading", "blocks"),
    "title and industry, logistic regression": logistic("title", "industry"),
    "concatenation, logistic regression": logistic("image", "reading", "blocks", "title", "industry"),
    "concatenation and cues, logistic regression": logistic("image", "reading", "blocks", "title", "industry", "cues"),
    "late fusion": late_fusion(logistic("image"), logistic("reading", "blocks"), logistic("title", "industry")),
    "cues and blocks, random forest": forest("blocks", "cues"),
    "label spreading": label_spreading("image", "reading", "blocks"),
}
