"""`tagloom train-encoders`: train the encoders of the settings further on labelled pictures, as new encoders."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tqdm import tqdm

from model.encoders.catalogue import image_encoder, save_image_encoder, save_text_encoder, text_encoder
from model.encoders.protocols import TextEncoder
from model.encoders.transformer_text import TransformerTextEncoder
from model.evaluation.corpus import LabelledCorpus, families_at, split
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.problem import Problem
from model.reading.reader import Reader
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.encoders import EncoderPair, EncoderTraining, train_encoders
from model.training.phases import STUDY, epochs
from model.training.progressive import EpochReport, fit
from tagloom.datasets.dataset import Dataset
from tagloom.encoders import home_settings
from tagloom.evaluation.corpus import FEATURES, corpus_of, require_gold, tell_notes
from tagloom.evaluation.data import read
from tagloom.evaluation.features import readable
from tagloom.opening import opened
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.lexicon import read_lexicon

Say = Callable[[str], None]
Heard = Callable[[EpochReport], None]


@dataclass(frozen=True)
class Plan:
    """What to train. ``data``, ``pictures``, ``config`` are as for an evaluation, ``gold`` is a share of products."""

    data: Path
    out: Path
    image: bool
    text: bool
    epochs: int = EncoderTraining().epochs
    gold: float = 1.0
    seed: int = TrainConfig().seed
    pictures: Path | None = None
    config: Path | None = None


def run(plan: Plan, settings: Settings, say: Say) -> dict[str, str]:
    """Train encoders, and return the settings (variable → value) that name them.

    The new encoders and the features of the old ones are written into ``plan.out``. A second run uses these features,
    but its training starts from the beginning. Raises UserError, which says what to change, if nothing can be trained.
    """
    _check_folder(plan.out)
    settings = home_settings(settings)
    try:
        texts = text_encoder(settings.encoders.text_encoder, settings.encoders.device)
        if plan.text and not isinstance(texts, TransformerTextEncoder):
            raise UserError(
                f"TAGLOOM_TEXT_ENCODER={settings.encoders.text_encoder} has nothing to train: name a transformers model"
                " or `shipped`, or train the pictures' encoder alone (--image)"
            )
        samples = read(
            plan.data,
            plan.pictures,
            plan.config,
            family_key=settings.tasks.family_key,
            industry_keys=settings.tasks.industry_keys,
        )
        if not samples.labelled():
            raise UserError(f"{plan.data} has no labelled pictures: label some, or name another folder or export")
        require_gold(samples)
        tell_notes(samples, say)
        trained = _trained(plan, settings, samples, texts, say)
        names: dict[str, str] = {}
        if trained.images:
            named = settings.encoders.image_encoder
            names["TAGLOOM_IMAGE_ENCODER"] = save_image_encoder(trained.images, named, plan.out)
        if trained.texts:
            names["TAGLOOM_TEXT_ENCODER"] = save_text_encoder(trained.texts, plan.out)
        return names
    except ValueError as wrong:
        raise UserError(str(wrong)) from wrong
    except OSError as wrong:
        raise UserError(
            f"{plan.out} cannot be written ({wrong}): make room, or name another folder by --out"
        ) from wrong


def _trained(plan: Plan, settings: Settings, samples: Dataset, texts: TextEncoder, say: Say) -> EncoderPair:
    """Train a tagger on features of the present encoders, then train the encoders with it."""
    images = image_encoder(settings.encoders.image_encoder, settings.encoders.device)
    say(f"encoders: image: {images.describe()}; text: {texts.describe()}")
    extractor = FeatureExtractor(images, texts, Reader())
    most = settings.pictures.image_max_pixels
    samples = readable(samples, FeatureCache(plan.out / FEATURES, extractor.space), most)
    tell_notes(samples, say)
    corpus = corpus_of(samples, extractor, plan.out, read_lexicon(settings.training.lexicon), most)
    gold = corpus.gold_of(gold_rows(corpus, plan))
    problem = Problem(corpus.features, gold, corpus.families)
    say(f"gold: {len(gold)} of {len(corpus.features)} pictures")
    config = TrainConfig(seed=plan.seed, device=settings.encoders.device)
    cold = Tagger.cold_start(
        corpus.labels, space=extractor.space, seed=plan.seed, lexicon=corpus.lexicon, with_boxes=False
    )
    # First the tagger learns on fixed features. Then the encoders are trained with it.
    with _bar("tagger, epochs", len(epochs(STUDY))) as heard:
        tagger = fit(cold, problem, config, on_epoch=heard)
    with _bar("encoders, epochs", plan.epochs) as heard:
        return train_encoders(
            tagger,
            problem,
            lambda row: opened(samples.samples[row].image, most).image,
            EncoderPair(
                images if plan.image else None,
                texts if plan.text and isinstance(texts, TransformerTextEncoder) else None,
            ),
            EncoderTraining(epochs=plan.epochs, training=config),
            on_epoch=heard,
        )


def gold_rows(corpus: LabelledCorpus, plan: Plan) -> tuple[int, ...]:
    """Return all labelled rows, or those of a share of the products, drawn as in `tagloom evaluate` with this seed."""
    if plan.gold < 1:
        return split(corpus, families=families_at(corpus, plan.gold), seed=plan.seed).gold
    return tuple(row for row, known in enumerate(corpus.gold) if known is not None)


def _check_folder(folder: Path) -> None:
    """Create the folder. Raise UserError when no file can be written there, before the long work begins."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as wrong:
        raise UserError(f"{folder} cannot be written ({wrong}): name another folder by --out") from wrong


@contextmanager
def _bar(name: str, total: int) -> Iterator[Heard]:
    """Show a bar of progress, and yield the function that gets each epoch's report."""
    with tqdm(total=total, desc=name, unit="", disable=None, leave=False) as bar:

        def heard(report: EpochReport) -> None:
            bar.set_postfix_str(f"loss on gold {report.gold_loss:.3f}")
            bar.update()

        yield heard
