"""How fast are pictures and texts encoded? PyTorch as Label Studio's examples use it, Tagloom, and other ways, in turn.

python -m bench.speed.encoding            in 5 to 10 minutes; --short: ResNet50 and EfficientNet-Lite0 in fewer turns

ResNet50, SqueezeNet and BERT base have random weights: their speed does not depend on them, how well ways agree does.
Pictures are the samples as JPEG files of 800 x 800 pixels.
"""

import argparse
import io
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

import model.torchvision_schemas  # noqa: F401
from bench.speed.machine import SIDE, described, peaks
from bench.speed.turns import Result, in_turn, median, report
from labelstudio.decoding import decode
from model.encoders.catalogue import image_encoder
from model.encoders.grid import GridEncoder, Preprocessing
from model.encoders.kept import PLACES, Ways
from model.encoders.runtime import HANDFUL, Runtime
from model.encoders.transformer_text import States, token_vectors
from model.encoders.ways import WAYS, Frozen, Run, eager

BATCH = 16
IMAGENET = Preprocessing(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FILES, FILE_SIDE = 64, 800
"""JPEG files that are decoded and encoded, and their side in pixels."""
DECODERS = 2
"""Threads that decode beside the network."""
TITLE_LENGTHS = (18, 45)
"""Tokens of a title."""


@dataclass(frozen=True)
class Subject:
    """A network that is measured: one batch of inputs, and the runtime that Tagloom runs it by."""

    name: str
    network: nn.Module
    inputs: tuple[Tensor, ...]
    runtime: Runtime
    fingerprint: str
    unit: str


def of_pictures(name: str, encoder: GridEncoder, files: Sequence[bytes]) -> Subject:
    pixels_N3HW = encoder.preprocessing([Image.open(io.BytesIO(file)) for file in files[:BATCH]])
    assert encoder.runtime is not None
    return Subject(name, encoder.network, (pixels_N3HW,), encoder.runtime, encoder.fingerprint, "pictures")


def bert() -> Subject:
    """Return BERT base as bert-base-chinese has it, with titles of the usual lengths; padding is not encoded."""
    from transformers import BertConfig, BertModel

    network = BertModel(BertConfig(vocab_size=21128), add_pooling_layer=False).eval().requires_grad_(False)  # type: ignore[no-untyped-call]
    draw = random.Random(1)
    length_N = torch.tensor([draw.randint(*TITLE_LENGTHS) for _ in range(BATCH)])
    ids_NT = torch.randint(671, 7992, (BATCH, int(length_N.max())), generator=torch.Generator().manual_seed(1))
    mask_NT = (torch.arange(ids_NT.shape[1]) < length_N[:, None]).long()
    inputs = (ids_NT * mask_NT, torch.zeros_like(ids_NT), mask_NT)
    states = States(network, ("input_ids", "token_type_ids", "attention_mask")).eval()
    runtime = Runtime(states, "bert", "BERT base", token_vectors(2))
    return Subject("BERT base", states, inputs, runtime, "bert", "texts")


def measured(subject: Subject, ways: Ways, machine: dict[str, float], *, repeats: int, compiler: bool) -> None:
    """Measure the ways of one network in turn, and report them beside the machine's peaks."""
    alone = eager(subject.network)
    runs: dict[str, Run] = {"PyTorch float32 (as the examples)": alone, "Tagloom": _settled(subject)}
    frozen = Frozen(subject.network, tuple(each[:1] for each in subject.inputs), ways.model_file(subject.fingerprint))
    candidates = [(way.name, way.prepare) for way in WAYS]
    if subject.unit == "pictures":
        candidates.append(("PyTorch bfloat16, channels first", _autocast))
    if compiler and shutil.which("g++"):
        candidates.append(("torch.compile bfloat16, frozen", _compiled))
    if find_spec("nncf"):
        candidates.append(("OpenVINO int8 (nncf)", _int8(subject.inputs)))
    for name, prepare in candidates:
        try:
            runs[name] = prepare(frozen)
        except Exception as error:
            print(f"{name}: not here ({str(error)[:100]})")
    single_NN = torch.randn(SIDE, SIDE)
    half_NN = single_NN.bfloat16()
    # In the same turns, so that other work disturbs the peaks too.
    products = {"fp32": lambda: single_NN @ single_NN, "bf16": lambda: half_NN @ half_NN}
    seconds = in_turn({**{name: partial(run, *subject.inputs) for name, run in runs.items()}, **products}, repeats)
    peak = {name: 2 * SIDE**3 / 1e9 / median(seconds.pop(name)) for name in products}
    results = [Result(name, each, BATCH, subject.unit) for name, each in seconds.items()]
    with FlopCounterMode(display=False) as counted:
        expected = alone(*subject.inputs)
    flops_each = counted.get_total_flops() / BATCH
    rates = {result.name: result.rate * flops_each / 1e9 for result in results}
    share = {}
    for name, rate in rates.items():
        used = subject.runtime.way if name == "Tagloom" else name
        unit = "bf16" if "bfloat16" in used else "fp32"
        share[name] = f"{rate / peak[unit]:.0%} of {unit}"
    agreement = {name: _agreement(subject, expected, run) for name, run in runs.items()}
    report(
        f"{subject.name}, {BATCH} {subject.unit} a batch, {flops_each / 1e9:.2f} GFLOP each",
        results, {**described(), **machine}, product_in_the_same_turns={k: f"{v:.0f} GFLOP/s" for k, v in peak.items()},
        Tagloom_chose=subject.runtime.way, share_of_the_peak=share, least_and_mean_cosine_to_float32=agreement,
    )  # fmt: skip


def end_to_end(name: str, encoder: GridEncoder, files: Sequence[bytes], repeats: int) -> None:
    """Measure the network alone, and with decoding, scaling and normalising beside it and before it."""
    pictures = [decode(file, 10**9).image for file in files]
    size = encoder.preprocessing.size
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    pixels = [encoder.preprocessing(pictures[start : start + BATCH]) for start in range(0, len(files), BATCH)]
    assert encoder.runtime is not None
    runtime = encoder.runtime
    with ThreadPoolExecutor(DECODERS) as beside:

        def ahead(opened: Callable[[bytes], Image.Image]) -> Iterator[list[Image.Image]]:
            """Yield the pictures of each batch, while threads decode those of the next."""
            ready = [beside.submit(opened, file) for file in batches[0]]
            for following in [*batches[1:], ()]:
                now, ready = ready, [beside.submit(opened, file) for file in following]
                yield [each.result() for each in now]

        def small(file: bytes) -> Image.Image:
            picture = Image.open(io.BytesIO(file))
            picture.draft("RGB", (size, size))
            picture.load()
            return picture

        def whole(file: bytes) -> Image.Image:
            return decode(file, 10**9).image

        seconds = in_turn(
            {
                "the network alone": lambda: [runtime(each) for each in pixels],
                "with scaling beside": lambda: encoder.encode(pictures),
                "with decoding at reduced size and scaling beside": lambda: [encoder.encode(b) for b in ahead(small)],
                "with decoding for the reader too, and scaling beside": lambda: [
                    encoder.encode(b) for b in ahead(whole)
                ],
                "one after the other": lambda: [encoder.encode([whole(f) for f in batch]) for batch in batches],
            },
            repeats,
        )
    alone = median(seconds["the network alone"])
    share = {name: f"{alone / median(each):.0%}" for name, each in seconds.items()}
    results = [Result(name, each, len(files), "pictures") for name, each in seconds.items()]
    report(f"{name}, end to end", results, described(), way=runtime.way, share_of_the_network=share)


def _settled(subject: Subject) -> Run:
    """Let Tagloom choose its way for this network, and return its runtime."""
    for _ in range(-(-HANDFUL // BATCH)):
        subject.runtime(*subject.inputs)
    subject.runtime.settled()
    return subject.runtime


def _autocast(frozen: Frozen) -> Run:
    def run(*inputs: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return torch.as_tensor(frozen.network(*inputs)).float()

    return run


def _compiled(frozen: Frozen) -> Run:
    """torch.compile with weights as constants; the first call compiles."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    network = torch.compile(frozen.network)

    def run(*inputs: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return torch.as_tensor(network(*inputs)).float()

    run(*frozen.example)
    return run


def _int8(inputs: tuple[Tensor, ...]) -> Callable[[Frozen], Run]:
    """Quantised by what the inputs' rows show; it is measured, and never chosen."""

    def prepare(frozen: Frozen) -> Run:
        import nncf

        from model.openvino_for_threads import openvino

        rows = [tuple(each[row : row + 1].numpy() for each in inputs) for row in range(len(inputs[0]))]
        core = openvino.Core()
        form = core.read_model(frozen.model_file)
        compiled = core.compile_model(nncf.quantize(form, nncf.Dataset(rows)), "CPU")
        return lambda *given: torch.from_numpy(compiled([each.numpy() for each in given])[0].copy())

    return prepare


def _agreement(subject: Subject, expected: Tensor, run: Run) -> tuple[float, float]:
    """Return the least and the mean cosine between vectors of this way and of PyTorch in single precision."""
    expected_MC, found_MC = (
        subject.runtime.vectors(subject.inputs, output) for output in (expected, run(*subject.inputs))
    )
    cosine_M = cosine_similarity(expected_MC, found_MC, dim=-1)
    return round(float(cosine_M.min()), 5), round(float(cosine_M.mean()), 5)


def _files() -> list[bytes]:
    """Return samples as JPEG files."""
    found = []
    for path in sorted(Path("samples/data/images").glob("*.webp"))[:FILES]:
        packed = io.BytesIO()
        Image.open(path).convert("RGB").resize((FILE_SIDE, FILE_SIDE)).save(packed, "JPEG", quality=90)
        found.append(packed.getvalue())
    return found


def _random(name: str) -> GridEncoder:
    from torchvision import models

    from model.encoders.torchvision_grid import until_pooling

    torch.manual_seed(1)
    return GridEncoder(until_pooling(models.get_model(name).eval()), IMAGENET, f"{name} (random weights)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer encoders and turns, within 100 seconds")
    parser.add_argument("--only", nargs="+", default=None, help="names of networks, such as ResNet50")
    options = parser.parse_args()
    repeats = 3 if options.short else 7
    files = _files()
    machine = {name: round(value, 1) for name, value in peaks().items()}
    makers: dict[str, Callable[[], GridEncoder]] = {
        "ResNet50": lambda: _random("resnet50"),
        "EfficientNet-Lite0": lambda: image_encoder("efficientnet-lite0"),
        "SqueezeNet": lambda: _random("squeezenet1_1"),
    }
    wanted = options.only or (list(makers)[:2] if options.short else [*makers, "BERT"])
    with tempfile.TemporaryDirectory() as folder, PLACES.kept_in(Path(folder)):
        for name in wanted:
            if name == "BERT":
                measured(bert(), Ways(Path(folder)), machine, repeats=repeats, compiler=False)
                continue
            encoder = makers[name]()
            subject = of_pictures(name, encoder, files)
            compiler = name == "ResNet50" and not options.short
            measured(subject, Ways(Path(folder)), machine, repeats=repeats, compiler=compiler)
            end_to_end(name, encoder, files[: FILES // 2] if options.short else files, repeats)


if __name__ == "__main__":
    main()
