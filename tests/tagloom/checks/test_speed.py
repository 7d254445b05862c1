"""The doctor says what a weak machine lacks, as advice: such a machine works."""

import dataclasses
from pathlib import Path

import pytest

from model.encoders import machine as machines
from model.encoders.kept import Choice, Ways
from model.encoders.machine import Machine
from model.encoders.ways import EAGER
from tagloom.checks.speed import GIB, advice, speed
from tagloom_base.settings import Settings

STRONG = Machine("a processor", ("avx512_bf16", "avx512_f", "avx2"), 8, 32 * GIB)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cores": 1}, "2 cores or more"),
        ({"memory": 2 * GIB}, "4 GB of memory or more; with 2.0 GB"),
        ({"instructions": ("avx2",)}, "multiplies bfloat16"),
        ({"instructions": ("avx512_f", "avx2")}, "multiplies bfloat16"),
        ({"instructions": ()}, "a processor with AVX2"),
    ],
)
def test_what_is_weak_is_told_with_its_mending(change: dict[str, object], words: str) -> None:
    (line,) = advice(dataclasses.replace(STRONG, **change), "cpu")  # type: ignore[arg-type]
    assert words in line


def test_a_strong_machine_and_a_gpu_get_no_advice() -> None:
    assert advice(STRONG, "cpu") == []
    assert advice(dataclasses.replace(STRONG, instructions=()), "cuda") == []


def test_a_weak_machine_is_well_and_its_ways_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = Machine("a processor", (), 1, 2 * GIB)
    monkeypatch.setattr(machines, "this_machine", lambda: weak)
    monkeypatch.setattr("model.encoders.kept.this_machine", lambda: weak)
    settings = Settings().changed(home=tmp_path)
    before = list(speed(settings))
    assert all(finding.well for finding in before)
    assert before[0].text == "1 core, 2.0 GB of memory, no AVX2"
    assert "until the fastest way is measured" in before[1].text
    assert [finding.text[:7] for finding in before[2:]] == ["faster:"] * 3
    rates = {EAGER: 4.0, "quick": 12.0}
    Ways(settings.paths.ways).keep("abc", Choice("a net", "quick", rates, 1.0, {}, weak.processor, 1, "2026-11-30"))
    assert list(speed(settings))[1].text == (
        "a net: quick, 12.0/s in 1 threads, 3.0 x PyTorch float32 (measured 2026-11-30)"
    )


def test_this_machine_has_a_processor_cores_and_memory() -> None:
    found = machines.this_machine()
    assert found.processor
    assert found.cores >= 1
    assert found.memory > 2**28
    assert 0 < machines.free_memory() <= found.memory


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({"cpu.max": "100000 100000", "memory.max": "2147483648", "memory.current": "147483648"}, 1, 2 * GIB),
        ({"cpu.max": "50000 100000", "memory.max": "max"}, 1, None),
        ({"cpu.max": "max 100000"}, None, None),
    ],
)
def test_the_limits_of_a_container_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int | None, memory: int | None
) -> None:
    free = machines.this_machine()
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(machines, "_GROUP", tmp_path)
    found = machines.this_machine()
    assert found.cores == (cores or free.cores)
    assert found.memory == (memory or free.memory)
    if memory:
        assert machines.free_memory() <= 2_000_000_000
