"""`tagloom evaluate`: Tagloom, its ablations and plain methods on a folder of labelled pictures, on the same draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.evaluation.corpus import LabelledCorpus, families_at
from model.evaluation.run import Result, run, table
from model.extraction import FeatureExtractor
from model.feature_cache import FeatureCache
from model.features import ItemFeatures
from model.items import Item
from samples.dataset import Sample, load
from tagloom.errors import UserError
from tagloom.settings import Settings

AT_ONCE = 16
RESULTS = "results.jsonl"
TABLE = "table.md"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """``gold`` holds shares of the labelled product families, each in [0, 1); ``methods`` None: all of them."""

    data: Path
    out: Path
    gold: tuple[float, ...]
    seeds: int
    methods: tuple[str, ...] | None


def evaluate(plan: Plan, settings: Settings, say: Say) -> str:
    """Run the plan, telling each result; returns the Markdown table, which also lies in ``plan.out``.

    A killed run goes on where it was. Raises UserError for data or methods that can't be evaluated.
    """
    try:
        corpus = corpus_of(plan, settings, say)
        sizes = sorted({families_at(corpus, share) for share in plan.gold})
        results = run(
            corpus,
            gold_families=sizes,
            seeds=range(plan.seeds),
            names=plan.methods,
            results=plan.out / RESULTS,
            on_result=lambda result: say(_line(result)),
        )
    except ValueError as wrong:
        raise UserError(str(wrong)) from wrong
    text = table(results)
    (plan.out / TABLE).write_text(text + "\n", "utf-8")
    return text


def corpus_of(plan: Plan, settings: Settings, say: Say) -> LabelledCorpus:
    """The data with their features, which are computed once and kept in ``plan.out``."""
    samples = load(plan.data)
    extractor = FeatureExtractor.from_names(settings.image_encoder, settings.text_encoder, device=settings.device)
    plan.out.mkdir(parents=True, exist_ok=True)
    cache = FeatureCache(plan.out / "features", extractor.space)
    say("encoders: " + "; ".join(f"{part}: {name}" for part, name in extractor.describe().items()))
    return LabelledCorpus(
        samples.labels(),
        tuple(_features(samples.samples, extractor, cache, say)),
        tuple(frozenset(sample.labels) if sample.labelled else None for sample in samples),
        tuple(sample.product_id for sample in samples),
    )


def _features(
    samples: Sequence[Sample], extractor: FeatureExtractor, cache: FeatureCache, say: Say
) -> list[ItemFeatures]:
    missing = [sample for sample in samples if sample.id not in cache]
    for start in range(0, len(missing), AT_ONCE):
        part = missing[start : start + AT_ONCE]
        items = [Item(sample.open(), sample.title, (sample.level1, sample.level2)) for sample in part]
        for sample, computed in zip(part, extractor.extract(items), strict=True):
            cache.put(sample.id, computed)
        say(f"pictures read and encoded: {start + len(part)} of {len(missing)}")
    return [features for sample in samples if (features := cache.get(sample.id)) is not None]


def _line(result: Result) -> str:
    return (
        f"{result.method}, {result.gold_families} products ({result.gold_items} gold items), seed {result.seed}: "
        f"macro-F1 {result.macro_f1:.3f}, weighted-F1 {result.weighted_f1:.3f} ({result.seconds:.1f} s)"
    )
