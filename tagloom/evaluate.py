"""`tagloom evaluate`: Tagloom, its ablations and plain methods on labelled pictures, on the same draws of gold."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path

from tqdm import tqdm

from model.boxes.described import RECENT
from model.boxes.effort import Seconds
from model.evaluation.corpus import LabelledCorpus, families_at, require_families, require_share
from model.evaluation.run import Result, RunPlan, run, steps
from model.evaluation.tables import box_table, class_table, effort_table, f1_table, leading, measure_table
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor, open_extractor
from model.lexicon.lexicon import Lexicon
from tagloom.datasets.dataset import Dataset
from tagloom.evaluation.data import gold_picture, read
from tagloom.evaluation.features import features_of, readable
from tagloom.evaluation.pictures import write_pictures
from tagloom.evaluation.report import write_report
from tagloom.opening import MAX_PIXELS
from tagloom.preflight import require_writable
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.lexicon import read_lexicon

FEATURES = "features"
RESULTS = "results.jsonl"
TABLE = "table.md"
REPORT = "report.html"
PICTURES = "pictures.html"
TYPICAL_GOLD = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """``data`` is a folder, or an export of Label Studio with pictures under ``pictures`` and a labelling config.

    ``gold`` holds shares of the labelled product families, from 0 to 1; ``methods`` None: all of them.
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
    """Prices such as ``draw=20,edge=5``, the others as they are. Raises UserError."""
    prices = asdict(Seconds())
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            prices[name.strip()] = float(value)
        except ValueError as wrong:
            raise UserError(f"--effort-seconds {part!r}: write action=seconds, such as draw=20") from wrong
    unknown = set(prices) - set(asdict(Seconds()))
    if unknown or not all(0 <= value < inf for value in prices.values()):
        raise UserError(
            f"--effort-seconds {text!r}: actions are {', '.join(asdict(Seconds()))}, each at least 0 seconds"
        )
    return Seconds(**prices)


def evaluate(plan: Plan, settings: Settings, say: Say) -> str:
    """Run the plan, telling each result; returns the Markdown tables, which also lie in ``plan.out``, beside a report
    and, where there are gold boxes, a page of pictures.

    A killed run goes on where it was. Raises UserError for data or methods that can't be evaluated.
    """
    try:
        samples = read(
            plan.data,
            plan.pictures,
            plan.config,
            family_key=settings.tasks.family_key,
            industry_keys=settings.tasks.industry_keys,
        )
        tell_notes(samples, say)
        _tell_pictureless(samples, say)
        _check(plan, samples)
        extractor = open_extractor(settings.encoders)
        encoders = "; ".join(f"{part}: {name}" for part, name in extractor.describe().items())
        say(f"encoders: {encoders}")
        samples = readable(
            samples, FeatureCache(plan.out / FEATURES, extractor.space), settings.pictures.image_max_pixels
        )
        tell_notes(samples, say)
        lexicon = read_lexicon(settings.training.lexicon)
        corpus = corpus_of(samples, extractor, plan.out, lexicon, settings.pictures.image_max_pixels)
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
    facts = {"data": f"{plan.data.name}, {_told(corpus)}", "encoders": encoders, "machine": f"{os.cpu_count()} cores"}
    write_report(plan.out / REPORT, results, facts)
    return text


def corpus_of(
    samples: Dataset,
    extractor: FeatureExtractor,
    out: Path,
    lexicon: Lexicon | None = None,
    max_pixels: int = MAX_PIXELS,
) -> LabelledCorpus:
    """The data with their features, which are computed once and kept in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    labels = samples.labels()
    # Gold is looked at before the pictures are encoded, which takes long.
    gold = tuple(frozenset(sample.labels) if sample.labelled else None for sample in samples)
    boxes = tuple(gold_picture(sample.boxes, labels) if sample.boxed else None for sample in samples)
    with tqdm(desc="pictures read and encoded", unit="", disable=None, leave=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        cache = FeatureCache(out / FEATURES, extractor.space)
        features = features_of(samples.samples, extractor, cache, progress, max_pixels)
    return LabelledCorpus(
        labels,
        tuple(features),
        gold,
        tuple(sample.product_id for sample in samples),
        boxes,
        lexicon or Lexicon.load(),
        tuple(sample.unknown for sample in samples),
    )


def require_gold(samples: Dataset) -> None:
    """Raises ValueError where there is nothing to learn from: no label, or one product."""
    if not samples.labels():
        raise ValueError("no item has a label: fill the labels column, or label some tasks and export again")
    require_families(sample.product_id for sample in samples.labelled())


def _check(plan: Plan, samples: Dataset) -> None:
    """Raises ValueError or UserError, before the long work, for what would end it."""
    require_gold(samples)
    for share in plan.gold:
        require_share(share)
    steps([0], [0], plan.methods)
    require_writable(plan.out)


def tell_notes(samples: Dataset, say: Say) -> None:
    """Tell how the data were read, and what is missing in them."""
    for note in samples.notes:
        say(note)


def _tell_pictureless(samples: Dataset, say: Say) -> None:
    without = sum(sample.picture is None for sample in samples)
    if without:
        say(f"{without} of {len(samples)} items have no picture: they are measured by their texts alone")


def _results(plan: Plan, corpus: LabelledCorpus, say: Say) -> list[Result]:
    sizes = sorted({families_at(corpus, share) for share in plan.gold})
    total = len(steps(sizes, range(plan.seeds), plan.methods))
    with tqdm(total=total, desc="methods on draws", unit="", disable=None, leave=False) as bar:

        def tell(result: Result) -> None:
            with bar.external_write_mode():
                say(_line(result))
            bar.update()

        runs = RunPlan(sizes, range(plan.seeds), plan.methods, plan.out / RESULTS, plan.prices)
        return run(corpus, runs, on_result=tell)


def _text(results: Sequence[Result], *, effort: bool) -> str:
    """The tables to print: tags, then boxes where there are gold boxes, then the effort when asked for.

    The labels of every method are too much to read here; the report has them all.
    """
    tables = [f1_table(results), measure_table(results), class_table(results, leading(results))]
    if any(result.boxes for result in results):
        tables += [box_table(results), *([effort_table(results)] if effort else [])]
    return "\n\n".join(f"{table.title}: {table.note}\n\n{table.markdown()}" for table in tables if table.rows)


def _told(corpus: LabelledCorpus) -> str:
    labelled = sum(known is not None for known in corpus.gold)
    boxed = sum(picture is not None for picture in corpus.boxes)
    products = len(set(corpus.families))
    return f"{len(corpus.features)} pictures of {products} products, {labelled} labelled, {boxed} with gold boxes"


def _line(result: Result) -> str:
    own = result.boxes.get(result.method)
    boxes = f", boxes mAP@0.5 {own.mean:.3f}, effort saved {own.effort.saved:.0%}" if own else ""
    return (
        f"{result.method}, {result.gold_families} products ({result.gold_items} gold items), seed {result.seed}: "
        f"macro-F1 {result.macro_f1:.3f}, weighted-F1 {result.weighted_f1:.3f}{boxes} ({result.seconds:.1f} s)"
    )
