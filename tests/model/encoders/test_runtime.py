"""The way that runs an encoder is chosen by measurement, kept, checked, and never waited for."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model.encoders import kept, machine, runtime
from model.encoders.kept import PLACES, Choice, Ways
from model.encoders.runtime import HANDFUL, Runtime
from model.encoders.ways import EAGER, WAYS, Frozen, Run, Way, eager

SLOW_S, QUICK_S, LEAST_S = 0.03, 0.002, 1e-5
MACHINE = machine.Machine("a processor", ("avx2",), 2, 8 * 2**30)


class Clock(threading.local):
    """A time that passes where networks say so, in each thread by itself: a busy machine changes no choice."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


CLOCK = Clock()


class Network(nn.Module):
    """A small network that takes some time by the clock."""

    def __init__(self, seconds: float = SLOW_S) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.seconds = seconds

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        CLOCK.now += self.seconds + LEAST_S
        output: Tensor = self.body(pixels_N3HW)
        return output


def vectors(_: tuple[Tensor, ...], map_NCHW: Tensor) -> Tensor:
    return map_NCHW.flatten(2).transpose(1, 2).flatten(0, 1)


def way(name: str, seconds: float, change: Callable[[Tensor], Tensor] = lambda output: output) -> Way:
    """Return a way that takes this time and changes the output."""

    def prepare(frozen: Frozen) -> Run:
        assert isinstance(frozen.network, Network)
        plain = eager(frozen.network.body)

        def run(*inputs: Tensor) -> Tensor:
            CLOCK.now += seconds + LEAST_S
            return change(plain(*inputs))

        return run

    return Way(name, prepare)


def made(*ways: Way, network: nn.Module | None = None, fingerprint: str = "abc") -> Runtime:
    return Runtime((network or Network()).eval(), fingerprint, "a network", vectors, ways)


def pictures(count: int = 8) -> Tensor:
    return torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(count))


def fill(one: Runtime) -> None:
    """Encode enough for a choice, and wait for it."""
    for _ in range(HANDFUL // 8):
        one(pictures())
    assert one.settled(30)


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "this_machine", lambda: MACHINE)
    monkeypatch.setattr(runtime, "this_machine", lambda: MACHINE)
    monkeypatch.setattr(runtime, "time", CLOCK)
    monkeypatch.setattr(runtime, "free_memory", lambda: 8 * 2**30)


@pytest.fixture
def ways(tmp_path: Path) -> Iterator[Ways]:
    with PLACES.kept_in(tmp_path):
        yield Ways(tmp_path)


def test_the_fastest_way_is_chosen_and_its_answers_are_those_of_the_network(ways: Ways) -> None:
    one = made(way("quick", QUICK_S), way("quicker", 0.0))
    before = one(pictures())
    fill(one)
    assert one.way == "quicker"
    assert torch.equal(one(pictures()), before)
    choice = ways.get("abc")
    assert choice is not None
    assert choice.rows_per_second["quicker"] > choice.rows_per_second["quick"] > choice.rows_per_second[EAGER]
    assert choice.agreement == pytest.approx(1.0, abs=1e-5)
    assert "a network: quicker, " in choice.told(EAGER)


def test_what_is_slower_than_the_network_is_never_used(ways: Ways) -> None:
    one = made(way("slower", 2 * SLOW_S), way("hardly faster", SLOW_S * 0.97))
    fill(one)
    assert one.way == EAGER
    again = made(way("slower", 2 * SLOW_S), way("hardly faster", SLOW_S * 0.97))
    again(pictures())
    assert again.settled(30)
    assert again.way == EAGER


def test_a_way_that_disagrees_or_does_not_compile_is_not_used(ways: Ways) -> None:
    def fails(_: Frozen) -> Run:
        raise RuntimeError("no such instruction\nand much more")

    wrong = way("wrong", 0.0, lambda output: output + 0.3 * output.roll(1, dims=1))
    spoilt = way("not a number", 0.0, lambda output: output * float("nan"))
    empty = way("empty", 0.0, torch.zeros_like)
    lacking = Way("needs AMX", way("needs AMX", 0.0).prepare, frozenset({"amx_bf16"}))
    one = made(wrong, spoilt, empty, Way("missing", fails), lacking, way("right", QUICK_S))
    fill(one)
    assert one.way == "right"
    choice = ways.get("abc")
    assert choice is not None
    assert choice.refused.keys() == {"wrong", "not a number", "empty", "missing", "needs AMX"}
    assert choice.refused["needs AMX"] == "the processor has none of amx_bf16"
    assert choice.refused["missing"] == "no such instruction"
    assert "agrees to a cosine of" in choice.refused["wrong"]


def test_one_wrong_vector_among_many_is_enough_to_refuse_a_way(ways: Ways) -> None:
    def one_region(output: Tensor) -> Tensor:
        changed = output.clone()
        changed[0, :, 2, 3] = -output[0, :, 2, 3] - 1
        return changed

    one = made(way("wrong in one region", 0.0, one_region))
    fill(one)
    assert one.way == EAGER


def test_the_choice_is_kept_and_used_again_at_once(ways: Ways) -> None:
    fill(made(way("quick", 0.0)))
    prepared = []

    def counting(name: str) -> Way:
        usual = way(name, 0.0)

        def prepare(frozen: Frozen) -> Run:
            prepared.append(name)
            return usual.prepare(frozen)

        return Way(name, prepare)

    one = made(counting("other"), counting("quick"))
    one(pictures(1))
    assert one.settled(30)
    assert one.way == "quick"
    # Nothing else is tried or measured.
    assert prepared == ["quick"]


@pytest.mark.parametrize("changed", ["processor", "instructions", "threads", "version", "encoder"])
def test_a_choice_does_not_hold_for_another_machine_version_or_encoder(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    fill(made(way("quick", 0.0)))
    fingerprint = "def" if changed == "encoder" else "abc"
    assert ways.get("abc") is not None
    if changed == "processor":
        other = machine.Machine("another", MACHINE.instructions, 2, MACHINE.memory)
        monkeypatch.setattr(kept, "this_machine", lambda: other)
    elif changed == "instructions":
        other = machine.Machine(MACHINE.processor, ("avx2", "amx_bf16"), 2, MACHINE.memory)
        monkeypatch.setattr(kept, "this_machine", lambda: other)
    elif changed == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    elif changed == "version":
        monkeypatch.setattr(kept, "version", lambda _: "0.0")
    assert ways.get(fingerprint) is None
    one = made(way("newly measured", 0.0), fingerprint=fingerprint)
    # A handful is not measured.
    one(pictures())
    assert one.settled(30)
    assert one.way == EAGER
    fill(one)
    assert one.way == "newly measured"


def test_a_kept_way_that_is_wrong_by_now_is_measured_anew(ways: Ways) -> None:
    fill(made(way("quick", 0.0)))
    ways.model_file("abc").write_text("spoilt")
    one = made(way("quick", 0.0, torch.zeros_like), way("sound", QUICK_S))
    fill(one)
    assert one.way == "sound"
    assert not ways.model_file("abc").exists()
    choice = ways.get("abc")
    assert choice is not None
    assert choice.way == "sound"


def test_a_spoilt_file_is_measured_anew(ways: Ways, tmp_path: Path) -> None:
    fill(made(way("quick", 0.0)))
    (file,) = tmp_path.glob("*.json")
    for content in ("", "{}", '["a"]', file.read_text("utf-8")[:40]):
        file.write_text(content, "utf-8")
        assert ways.get("abc") is None
    fill(made(way("quick", 0.0)))
    assert ways.get("abc") is not None


def test_answers_are_given_while_a_way_compiles(ways: Ways) -> None:
    compiling, may_end = threading.Event(), threading.Event()
    usual = way("slow to compile", 0.0)

    def prepare(frozen: Frozen) -> Run:
        compiling.set()
        assert may_end.wait(30)
        return usual.prepare(frozen)

    one = made(Way("slow to compile", prepare), network=Network(0.0))
    for _ in range(HANDFUL // 8):
        one(pictures())
    assert compiling.wait(30)
    began = time.monotonic()
    expected = one(pictures())
    assert time.monotonic() - began < 5
    assert one.way == EAGER
    may_end.set()
    assert one.settled(30)
    assert torch.equal(one(pictures()), expected)


def test_a_way_that_fails_later_gives_way_to_the_network(ways: Ways) -> None:
    broken = threading.Event()

    def fail(output: Tensor) -> Tensor:
        if broken.is_set():
            raise RuntimeError("no memory")
        return output

    one = made(way("quick", 0.0, fail))
    expected = one(pictures())
    fill(one)
    assert one.way == "quick"
    broken.set()
    assert torch.equal(one(pictures()), expected)
    assert one.way == EAGER


def test_threads_may_call_while_the_way_changes(ways: Ways) -> None:
    one = made(way("quick", 0.0), network=Network(QUICK_S))
    expected = one(pictures())
    wrong: list[int] = []

    def call(number: int) -> None:
        for _ in range(20):
            if not torch.equal(one(pictures()), expected):
                wrong.append(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.settled(30)
    assert one.way == "quick"
    assert not wrong


def test_without_a_folder_nothing_is_measured() -> None:
    one = made(way("quick", 0.0), network=Network(0.0))
    fill(one)
    assert one.way == EAGER


def test_with_too_little_memory_nothing_is_tried_and_nothing_kept(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "free_memory", lambda: 50 * 2**20)
    one = made(way("quick", 0.0))
    fill(one)
    assert one.way == EAGER
    # The next process may have more.
    assert ways.get("abc") is None


def test_a_folder_that_takes_nothing_costs_only_the_keeping(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with PLACES.kept_in(tmp_path / "file"):
        one = made(way("quick", 0.0))
        fill(one)
    assert one.way == "quick"


def test_forms_of_older_versions_are_removed(ways: Ways, tmp_path: Path) -> None:
    old, other = tmp_path / "abc-0123456789abcdef.bin", tmp_path / "def-0123456789abcdef.bin"
    for file in (old, other, ways.model_file("abc")):
        file.write_text("x")
    ways.keep("abc", Choice("a network", EAGER, {EAGER: 1.0}, 1.0, {}, "a processor", 1, "2026-11-30"))
    assert not old.exists()
    assert other.exists()
    assert ways.model_file("abc").exists()


def test_choices_of_this_processor_are_told(ways: Ways) -> None:
    for name, processor in (("abc", MACHINE.processor), ("def", "another")):
        ways.keep(name, Choice(name, EAGER, {EAGER: 1.0}, 1.0, {}, processor, 1, "2026-11-30"))
    assert [choice.encoder for choice in ways.all()] == ["abc"]


@pytest.mark.parametrize("one", WAYS, ids=lambda one: one.name)
def test_each_way_agrees_for_batches_of_any_size(one: Way, tmp_path: Path) -> None:
    if one.needs and not one.needs & set(machine.this_machine().instructions):
        pytest.skip("this processor multiplies no bfloat16")
    network = Network(0.0).eval()
    run = one.prepare(Frozen(network, (pictures(1),), tmp_path / "form.xml"))
    for count in (1, 2, 7, 32):
        expected, found = (vectors((), each(pictures(count))) for each in (eager(network), run))
        assert found.dtype == torch.float32
        assert torch.cosine_similarity(expected, found, dim=-1).min() > 0.999
    # What was given is not overwritten by the next batch.
    first = run(pictures(4))
    copy = first.clone()
    run(pictures(5))
    assert torch.equal(first, copy)


def test_the_form_of_openvino_is_kept_and_a_broken_one_is_made_again(tmp_path: Path) -> None:
    network, file = Network(0.0).eval(), tmp_path / "ways" / "form.xml"
    (one,) = (each for each in WAYS if each.name == "OpenVINO float32")
    frozen = Frozen(network, (pictures(1),), file)
    expected = one.prepare(frozen)(pictures())
    assert {each.name for each in file.parent.iterdir()} == {"form.xml", "form.bin"}

    class Refused(nn.Module):
        def forward(self, _: Tensor) -> Tensor:
            raise AssertionError("the file is there")

    kept_one = one.prepare(Frozen(Refused(), frozen.example, file))
    assert torch.equal(kept_one(pictures()), expected)
    for broken in (file, file.with_suffix(".bin")):
        content = broken.read_bytes()
        broken.write_bytes(content[: len(content) // 2])
        assert torch.equal(one.prepare(frozen)(pictures()), expected)
        assert broken.stat().st_size > len(content) * 0.9
