"""What a day costs follows from what one item costs: the numbers are computed by hand here."""

from dataclasses import replace

import pytest

from bench.speed.budget import (
    DAY_MS,
    Measured,
    Plan,
    answered,
    costs,
    disk,
    limits,
    of_one_project,
    others,
    rounded,
    tables,
    writer,
)

FOUND = Measured(
    read={"decode": 4.0, "read the text": 80.0, "task's row": 2.4},
    answer={"answer by the model": 6.0, "kept": 4.0},
    looks={"encode": 0.05, "reconcile": 0.2, "keep answers": 0.1},
    disk={"features file": 40_000.0, "task's row": 400.0},
    annotation_ms=3.0,
    annotation_bytes=5_000.0,
    writer_ms={"task": 0.5, "answer": 1.0, "annotation": 10.0},
    answer_rows=6,
    leader_ms=0.001,
    leader_bytes=3_000.0,
    nearest_ms=0.0001,
    vote_ms=0.001,
    search_ms=0.0005,
    opened_ms=0.002,
    longest_ms=0.0008,
    task_memory=2_000.0,
    commits=300.0,
    job_bytes=900.0,
    worker=1_200.0,
    idle_worker=400.0,
    backend=900.0,
    threads=("decode", "read the text"),
)
PLAN = Plan(items=1_000_000, answers=2, labelled=0.01, gold=2_000, held=1_000_000)


def test_cores_are_those_that_are_busy_all_day() -> None:
    by_name = {one.what: one for one in costs(FOUND, PLAN)}
    assert by_name["read the text"].cores == pytest.approx(80 * 1e6 / 86.4e6)
    # Each version answers, and each gold item votes in each answer.
    assert by_name["kept"].a_day == 2_000_000
    assert by_name["votes of 2,000 gold items in an answer"].ms == pytest.approx(2.0)
    assert by_name["webhook of an annotation"].a_day == 10_000
    assert answered(FOUND, PLAN) == pytest.approx(12.0)


def test_what_stays_of_an_item_counts_annotations_by_their_share() -> None:
    assert disk(FOUND, PLAN) == {"features file": 40_000, "task's row": 400, "annotations and events": 50}


def test_one_writer_is_held_by_tasks_answers_and_annotations() -> None:
    assert writer(FOUND, PLAN) == pytest.approx(0.5 + 2 * 1.0 + 0.01 * 10)


@pytest.mark.parametrize(("cores", "ms"), [(1, 86.4), (2, 44.4), (float("inf"), 2.4)])
def test_more_cores_spread_only_the_steps_that_use_them(cores: float, ms: float) -> None:
    assert of_one_project(FOUND, cores) == pytest.approx(DAY_MS / ms)


def test_limits_lie_where_a_cost_reaches_its_bound() -> None:
    found = limits(FOUND, PLAN)
    at = {one.what: one.at for one in found}
    assert at["an encode job that finds nothing takes 15 s"] == pytest.approx(300_000)
    assert at["a comparison with Label Studio takes its 10 minutes"] == pytest.approx(3e6)
    assert at["a look at all tasks takes 4 GB"] == pytest.approx(2e6)
    assert at["comparing look-alikes takes as long as the rest of an answer"] == pytest.approx(12_000)
    assert at["a job holds the lock for as long as a webhook waits, .8 s"] == pytest.approx(1e6)
    assert at["SQLite's one writer"] == pytest.approx(DAY_MS / 2.6)
    assert at["files in each folder of features grow by"] == pytest.approx(3906.25)
    assert {one.unit for one in found if "one project" in one.what} == {"items a day"}


def test_answering_all_anew_ends_where_it_takes_a_day() -> None:
    (found,) = (one for one in limits(FOUND, PLAN) if one.what.startswith("answering all"))
    # Of n tasks each is compared with the groups that there are by then, n / 2 in the mean.
    assert found.at * (12 + 0.001 * found.at / 2) == pytest.approx(DAY_MS)


def test_twice_the_items_need_twice_the_cores() -> None:
    double = replace(PLAN, items=2_000_000)
    assert sum(one.cores for one in costs(FOUND, double)) == pytest.approx(
        2 * sum(one.cores for one in costs(FOUND, PLAN))
    )


def test_the_tables_say_it_in_markdown() -> None:
    text = tables(FOUND, PLAN)
    assert "| read the text | 80 | 1,000,000 | 0.93 |" in text
    assert "| features file | 40,000 | 40.00 |" in text
    assert "| encode | 0.05 | 50 |" in text
    assert "| SQLite's one writer | 33,000,000 items a day |" in text
    assert {len(line.split("|")) for line in text.splitlines() if line} == {4, 5, 6}


def test_other_figures_are_told_in_their_units() -> None:
    told = others(FOUND, PLAN)
    assert told["database rows a day"] == 13_020_000
    assert told["annotations a second"] == 0.12
    assert told["look-alikes of all tasks, if each leads a group, GB"] == 3.0
    assert told["s of one core to find the nearest gold of all tasks"] == 200


@pytest.mark.parametrize(("number", "said"), [(123_456, 120_000), (0.8, 0), (99.6, 100), (7, 7)])
def test_limits_are_told_with_two_digits(number: float, said: int) -> None:
    assert rounded(number) == said
