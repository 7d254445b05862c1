"""The verdict: each promise alone can break it."""

import pytest

from tools.demo.scoring import Scores
from tools.demo.table import Row
from tools.demo.traffic import Tally
from tools.demo.verdict import judge


def rows(*scores: float) -> list[Row]:
    return [Row(10 * i, f"v{i}", Scores(f1, f1, {})) for i, f1 in enumerate(scores)]


def tally(*failures: str) -> Tally:
    counted = Tally()
    counted.succeeded([{"model_version": "v1"}], 0.1)
    for failure in failures:
        counted.failed(failure)
    return counted


VERSIONS = ["v0", "v1", "v2"]


def test_it_passes_when_everything_holds() -> None:
    assert judge(rows(0.5, 0.7), 0.4, VERSIONS, tally()).passed


@pytest.mark.parametrize(
    ("final", "baseline", "versions", "failures", "why"),
    [
        (0.5, 0.4, VERSIONS, (), "beats the cold start"),
        (0.7, 0.7, VERSIONS, (), "majority"),
        (0.7, 0.4, ["v0", "v1"], (), "2 published versions"),
        (0.7, 0.4, VERSIONS, ("HTTP 500",), "1 of 2 did, the first: HTTP 500"),
    ],
)
def test_each_promise_alone_breaks_it(
    final: float, baseline: float, versions: list[str], failures: tuple[str, ...], why: str
) -> None:
    verdict = judge(rows(0.5, final), baseline, versions, tally(*failures))
    assert not verdict.passed
    (broken,) = [condition.text for condition in verdict.conditions if not condition.holds]
    assert why in broken
    assert any(line.startswith("  NO") and why in line for line in verdict.lines())


def test_an_early_end_breaks_it_with_its_reason() -> None:
    verdict = judge(rows(0.5, 0.7), 0.4, VERSIONS, tally(), "a worker trains")
    assert not verdict.passed
    assert verdict.conditions[0].text == "a worker trains"


def test_without_requests_or_measurements_nothing_is_shown() -> None:
    assert not judge([], 0.0, VERSIONS, tally()).passed
    assert not judge(rows(0.5, 0.7), 0.4, VERSIONS, Tally()).passed
