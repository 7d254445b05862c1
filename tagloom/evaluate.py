"""`tagloom evaluate`: measure Tagloom, its ablations and plain methods on labelled pictures, with the same gold."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path

from tqdm import tqdm

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.boxes.worth import DRAW
from model.evaluation.boxes import BoxResult
from model.evaluation.corpus import LabelledCorpus, families_at, require_share
from model.evaluation.run import Result, RunPlan, run, steps
from model.evaluation.tables import box_table, by_part, class_table, effort_table, f1_table, leading, measure_table
from model.features.cache import FeatureCache
from model.features.extraction import open_extractor
from tagloom.datasets.dataset import Dataset
from tagloom.encoders import home_settings
from tagloom.evaluation.corpus import FEATURES, Say, corpus_of, require_gold, tell_notes
from tagloom.evaluation.data import read
from tagloom.evaluation.features import readable
from tagloom.evaluation.heard import with_sources
from tagloom.evaluation.pictures import write_pictures
from tagloom.evaluation.report import write_report
from tagloom.preflight import require_writable
from tagloom_base.errors import UsageError, UserError
from tagloom_base.settings import Settings
from worker.lexicon import read_lexicon

RESULTS = "results.jsonl"
TABLE = "table.md"
REPORT = "report.html"
PICTURES = "pictures.html"
TYPICAL_GOLD = 0.1


@dataclass(frozen=True)
class Plan:
    """What to evaluate.

    ``data`` is a folder, or an export of Label Studio with its pictures below ``pictures`` and its labelling config in
    ``config``. ``gold`` holds shares of the labelled product families, from 0 to 1. ``methods`` None means all methods.
    """

    data: Path
    out: Path
    gold: tuple[float, ...]
    seeds: int
    methods: tuple[str, ...] | None
    pictures: Path | None = None
    effort: bool = False
    prices: Seconds = field(default_factory=Seconds)
    config: Path | None = None


def seconds_of(text: str) -> Seconds:
    """Read prices such as ``draw=20,edge=5``; other actions keep their prices. Raises UsageError."""
    prices = asdict(Seconds())
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            prices[name.strip()] = float(value)
        except ValueError as wrong:
            raise UsageError(f"--effort-seconds {part!r}: write action=seconds, such as draw=20") from wrong
    unknown = set(prices) - set(asdict(Seconds()))
    if unknown or not all(0 <= value < inf for value in prices.values()):
        raise UsageError(
            f"--effort-seconds {text!r}: actions are {', '.join(asdict(Seconds()))}, each at least 0 seconds"
        )
    return Seconds(**prices)


def evaluate(plan: Plan, settings: Settings, say: Say) -> tuple[list[Result], str]:
    """Run the plan, and return the results, and their tables in Markdown. ``say`` gets a line for each result.

    The tables are also written into ``plan.out``, with a report and, for data with gold boxes, a page of pictures. A
    killed run continues where it ended. With the encoder `auto`, those of the home are used. Raises UserError for data
    or methods that cannot be evaluated.
    """
    settings = home_settings(settings)
    try:
        samples = _read(plan, settings, say)
        extractor = open_extractor(settings.encoders)
        encoders = "; ".join(f"{part}: {name}" for part, name in extractor.describe().items())
        say(f"encoders: {encoders}")
        # A picture that cannot be read must show now, and not after hours of encoding.
        samples = readable(
            samples, FeatureCache(plan.out / FEATURES, extractor.space), settings.pictures.image_max_pixels
        )
        tell_notes(samples, say)
        lexicon = read_lexicon(settings.training.lexicon)
        corpus = corpus_of(samples, extractor, plan.out, lexicon, settings.pictures.image_max_pixels)
        corpus = replace(corpus, draw_seconds=settings.training.draw_seconds or DRAW)
        corpus = with_sources(corpus, samples, settings, plan.out, say)
        with RECENT.kept_in(plan.out / "descriptions"):
            results = _results(plan, corpus, say)
            if any(picture is not None for picture in corpus.boxes):
                write_pictures(plan.out / PICTURES, corpus, samples, families=families_at(corpus, TYPICAL_GOLD))
    except ValueError as wrong:
        raise UserError(str(wrong)) from wrong
    except OSError as wrong:
        raise UserError(f"{plan.out} cannot be used ({wrong}): make room, or name another folder by --out") from wrong
    text = _text(results, effort=plan.effort)
    (plan.out / TABLE).write_text(text + "\n", "utf-8")
    labelled = sum(known is not None for known in corpus.gold)
    boxed = sum(picture is not None for picture in corpus.boxes)
    products = len(set(corpus.families))
    counts = f"{len(corpus.features)} pictures of {products} products, {labelled} labelled, {boxed} with gold boxes"
    facts = {"data": f"{plan.data.name}, {counts}", "encoders": encoders, "machine": f"{os.cpu_count()} cores"}
    write_report(plan.out / REPORT, results, facts)
    return results, text


def _read(plan: Plan, settings: Settings, say: Say) -> Dataset:
    """Read the plan's data, and check data and plan before the long work. Raises ValueError or UserError."""
    samples = read(
        plan.data,
        plan.pictures,
        plan.config,
        family_key=settings.tasks.family_key,
        industry_keys=settings.tasks.industry_keys,
    )
    tell_notes(samples, say)
    without = sum(sample.picture is None for sample in samples)
    if without:
        say(f"{without} of {len(samples)} items have no picture: they are measured by their texts alone")
    require_gold(samples)
    for share in plan.gold:
        require_share(share)
    # This raises ValueError for an unknown method.
    steps([0], [0], plan.methods)
    require_writable(plan.out)
    return samples


def _results(plan: Plan, corpus: LabelledCorpus, say: Say) -> list[Result]:
    """Run all methods on all draws of gold, with a bar of progress and a line for each result."""
    sizes = sorted({families_at(corpus, share) for share in plan.gold})
    total = len(steps(sizes, range(plan.seeds), plan.methods))
    with tqdm(total=total, desc="methods on draws", unit="", disable=None, leave=False) as bar:

        def tell(measured: Sequence[Result]) -> None:
            for result in measured:
                own = result.boxes.get(result.method)
                boxes = f", boxes mAP@0.5 {own.mean:.3f}, effort saved {_saved(own)}" if own else ""
                line = (
                    f"{result.method}, {result.gold_families} products ({result.gold_items} gold items), seed "
                    f"{result.seed}, on {result.part}: macro-F1 {result.macro_f1:.3f}, weighted-F1 "
                    f"{result.weighted_f1:.3f}{boxes} ({result.seconds:.1f} s)"
                )
                with bar.external_write_mode():
                    say(line)
            bar.update()

        runs = RunPlan(sizes, range(plan.seeds), plan.methods, plan.out / RESULTS, plan.prices)
        return run(corpus, runs, on_results=tell)


def _saved(boxes: BoxResult) -> str:
    return ", ".join(f"{one.saved:.0%} at {draw} s a drawn box" for draw, one in boxes.efforts.items())


def _text(results: Sequence[Result], *, effort: bool) -> str:
    """Return the tables to print: tags, then boxes if the data have gold boxes, then the effort if requested.

    There are tables for each part of the test items. F1 by label is shown for the leading methods alone; the report has
    it for all methods.
    """
    texts = []
    for part, own in by_part(results).items():
        tables = [f1_table(own), measure_table(own), class_table(own, leading(own))]
        if any(result.boxes for result in own):
            tables += [box_table(own), *([effort_table(own)] if effort else [])]
        texts += [f"{table.title}, on {part}: {table.note}\n\n{table.markdown()}" for table in tables if table.rows]
    return "\n\n".join(texts)
