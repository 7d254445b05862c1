"""Review: which pictures come together, what accepting writes, and what stands in its way."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from labelstudio.changes import annotation_state
from labelstudio.changes import tasks_of as states_of
from labelstudio.config import LabelConfig
from labelstudio.gold import read_gold
from labelstudio.lead_times import lead_time_of
from labelstudio.proposals import proposed_by
from store.batches import Fate
from testing.label_studio import payloads
from testing.waiting import until
from tests.backend.pages import reviewing
from tests.backend.pages.reviewing import (
    VERSION,
    Table,
    add_version,
    fields_of,
    keep_answers,
    result_of_task,
    tasks_of,
)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with reviewing.table(tmp_path, 40) as made:
        yield made


def test_a_screen_has_one_answer_look_alikes_together_and_the_surest_first(table: Table) -> None:
    answers = [{"task": number, "labels": ["主体"], "look_alike": 1, "score": 0.95} for number in range(1, 31)]
    answers += [{"task": number, "labels": ["主体", "LOGO"], "score": 0.99} for number in range(31, 37)]
    answers += [{"task": number, "labels": ["主体"], "score": 0.5} for number in range(37, 41)]
    keep_answers(table, answers)
    page = table.screen()
    assert tasks_of(page) == [*range(1, 25)], "a large group takes several screens, and comes before small ones"
    assert 'kind0">主体' in page.text
    assert 'kind2">LOGO' not in page.text.partition("glance")[0]
    assert f'data-next="{" ".join(map(str, range(25, 31)))}"' in page.text, "their pictures are loaded early"
    table.accept(page)
    table.settle()
    second = table.screen()
    assert set(tasks_of(second)) == {*range(31, 37)}, "of small screens the surest"
    assert set(tasks_of(table.screen("rest"))) == {*range(37, 41)}
    assert re.search(r"Sure <span class=\"number\">12<", second.text)


def test_accepting_writes_what_the_editor_would_have_submitted(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体", "LOGO"]} for number in range(1, 5)])
    page = table.screen()
    shown = re.findall(r'<rect class="kind0" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', page.text)
    assert len(shown) == 4
    after = table.accept(page, 3)
    assert "Nothing that is sure waits" in after.text, "what is being written is not proposed again"
    batch = table.settle()
    assert (batch.count(Fate.WRITTEN), batch.count(Fate.EXCEPTION)) == (3, 1)
    tasks = table.studio.project.tasks
    assert [len(tasks[number].annotations) for number in range(1, 5)] == [1, 1, 0, 1]
    (annotation,) = tasks[1].annotations
    tag, box = annotation.result
    assert tag["value"] == {"choices": ["主体", "LOGO"]}
    assert (tag["origin"], box["origin"]) == ("prediction", "prediction")
    assert [f"{box['value'][side]}" for side in ("x", "y", "width", "height")] == [*shown[0]]
    config = LabelConfig.parse(table.studio.project.label_config)
    body = annotation.body()
    gold = read_gold(config, [body], lambda mark: proposed_by(mark, table.key, 1, [VERSION]))
    assert gold is not None
    assert (gold.labels, gold.accepted) == (frozenset({"主体", "LOGO"}), VERSION), "it does not judge its version"
    assert 0 <= annotation.lead_time < 60
    exception = table.browser.get(f"review-now?id={table.id}").text
    assert "3 written" in exception
    assert f"{table.studio.url}/projects/{table.studio.project.id}/data?task=3" in exception
    assert "you took it out" in exception


def test_its_lead_time_is_no_measure_of_a_person_who_draws(table: Table) -> None:
    keep_answers(table, [{"task": 1, "labels": ["主体"], "boxes": []}])
    table.accept(table.screen())
    table.settle()
    (annotation,) = table.studio.project.tasks[1].annotations
    annotation.lead_time = 2.0
    state = annotation_state(annotation.body())
    assert state.lead_seconds is None
    config = LabelConfig.parse(table.studio.project.label_config)
    assert lead_time_of(config, {**json.loads(state.content), "lead_time": state.lead_seconds}) is None


def test_the_stored_prediction_that_was_accepted_is_named(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2)])
    page = table.screen()
    said = {"result": result_of_task(table, 1), "score": 0.9, "model_version": VERSION}
    stored = table.studio.project.keep(1, said)
    table.studio.project.keep(2, {**said, "model_version": "another"})
    table.accept(page)
    table.settle()
    tasks = table.studio.project.tasks
    assert tasks[1].annotations[0].parent_prediction == stored.id
    assert tasks[2].annotations[0].parent_prediction is None


def test_a_form_that_is_sent_twice_counts_once(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 4)])
    page = table.screen()
    table.accept(page)
    table.settle()
    again = table.accept(page, 1)
    assert again.status_code == 200
    assert len(table.store.batches.newest(table.key, 9)) == 1
    assert [len(task.annotations) for task in table.studio.project.tasks.values()][:3] == [1, 1, 1]


def test_what_is_labelled_or_in_work_meanwhile_is_left_and_told(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 6)])
    page = table.screen()
    table.studio.annotate(1, [])
    table.studio.annotate(2, [], skip=True)
    table.studio.project.tasks[3].drafts = 1
    table.studio.delete_tasks([4])
    table.accept(page)
    batch = table.settle()
    assert {one.task_id: one.fate for one in table.store.batches.pictures(batch.id)} == {
        1: Fate.LABELLED,
        2: Fate.LABELLED,
        3: Fate.IN_WORK,
        4: Fate.GONE,
        5: Fate.WRITTEN,
    }
    told = table.browser.get(f"review-now?id={table.id}").text
    assert "somebody is at it" in told
    assert "somebody had labelled or skipped it" in told


def test_proposals_that_changed_since_the_screen_was_made_are_not_written(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2)])
    page = table.screen()
    assert table.accept(page, stamp="0" * 64).status_code == 409
    other = add_version(table.store, table.key, 1, generation=1)
    keep_answers(table, [{"task": number, "labels": ["LOGO"]} for number in (1, 2)], other)
    assert "LOGO" in table.screen().text
    assert "proposals have changed" in table.accept(page, version=other).text
    assert table.store.batches.newest(table.key, 1) == []
    table.accept(page)
    assert table.settle().count(Fate.WRITTEN) == 2, "the screen of the version before still counts as it was seen"


def test_an_exception_comes_again_when_a_version_says_something_else(table: Table) -> None:
    keep_answers(table, [{"task": 1, "labels": ["主体"]}])
    table.accept(table.screen(), 1)
    table.settle()
    same = add_version(table.store, table.key, 1, generation=1)
    keep_answers(table, [{"task": 1, "labels": ["主体"]}], same)
    assert tasks_of(table.screen()) == []
    other = add_version(table.store, table.key, 2, generation=2)
    keep_answers(table, [{"task": 1, "labels": ["主体", "LOGO"]}], other)
    assert tasks_of(table.screen()) == [1]


def test_forged_fields_write_nothing(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2)])
    page = table.screen()
    for tasks in ("", "1;2", "1," * 40, "-1", "9" * 30, "１"):
        assert table.accept(page, tasks=tasks).status_code in (404, 409), tasks
    assert table.accept(page, version="v9.9999").status_code == 404
    assert table.accept(page, form="x" * 100).status_code == 404
    assert table.accept(page, form_token="0").status_code == 403
    assert table.accept(page, id="7.1795326397").status_code == 404
    assert table.accept(page, shown_at="nan", stamp="").status_code == 409
    assert table.store.batches.newest(table.key, 1) == []
    table.accept(page, tasks="1,2,39")
    table.settle()
    assert [number for number, task in table.studio.project.tasks.items() if task.annotations] == [1, 2]


def test_two_screens_made_of_one_cannot_mix_answers(table: Table) -> None:
    keep_answers(table, [{"task": 1, "labels": ["主体"]}, {"task": 2, "labels": ["LOGO"]}])
    page = table.screen()
    assert table.accept(page, tasks="1,2").status_code == 409
    assert not any(task.annotations for task in table.studio.project.tasks.values())


def test_a_token_that_may_not_annotate_is_told_so(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2)])
    table.studio.refuses_annotations = True
    table.accept(table.screen())
    batch = table.settle()
    assert batch.problem.startswith("forbidden: ")
    assert "does not let you annotate in this project (403)" in table.browser.get(f"review-now?id={table.id}").text


def test_a_batch_that_stopped_in_the_middle_is_continued_and_writes_nothing_twice(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 21)])
    # The tenth is written, but its answer is lost; nobody knows whether it was.
    page = table.screen()
    lost = table.studio.submit

    def tenth(task: int, fields: Mapping[str, Any], person: int = payloads.USER) -> payloads.Annotation:
        table.studio.answers_lost = int(task == 10)
        return lost(task, fields, person)

    monkeypatch.setattr(table.studio, "submit", tenth)
    table.accept(page)
    batch = table.settle()
    assert batch.problem.startswith("away: ")
    assert 0 < batch.count(Fate.WAITING) < 20
    assert "Continue" in table.browser.get(f"review-now?id={table.id}").text
    strip = table.browser.get(f"done?id={table.id}")
    fields = dict(
        re.findall(r'name="(form_token|id|batch)" value="([^"]+)"', strip.text.rpartition("continue-batch")[2])
    )
    table.browser.post("continue-batch", fields)
    batch = table.settle()
    assert batch.count(Fate.WRITTEN) == 20
    assert all(len(table.studio.project.tasks[number].annotations) == 1 for number in range(1, 21))


def test_in_chinese_and_without_a_version(table: Table) -> None:
    keep_answers(table, [{"task": 1, "labels": ["主体"]}])
    browser = type(table.browser)(table.backend.client, "zh-CN")
    browser.sign_in(table.studio.token)
    assert "成组审核相似图片" in browser.get(f"review?id={table.id}").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", browser.get(f"review?id={table.id}").text)


def test_two_people_on_one_screen_write_each_picture_once(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in range(1, 9)])
    ben = "b" * 40
    table.studio.annotators[ben] = (2, "ben@shop.test")
    other = type(table.browser)(table.backend.client, "en")
    other.sign_in(ben)
    mine, his = table.screen(), other.get(f"review?id={table.id}")
    assert tasks_of(mine) == tasks_of(his)
    table.accept(mine)
    other.post("review", fields_of(his))
    until(lambda: not any(batch.is_open for batch in table.store.batches.newest(table.key, 2)))
    assert table.newest().counts == {Fate.LABELLED: 8}
    written = [task.annotations for task in table.studio.project.tasks.values()]
    assert [len(those) for those in written][:8] == [1] * 8
    assert {those[0].completed_by for those in written[:8]} == {1}


def test_a_review_goes_on_with_the_version_before_while_the_new_one_still_answers(table: Table) -> None:
    lease, config = table.store.leases.acquire("predict", "test", 60), table.studio.project.label_config
    assert lease
    table.store.answers.begin(table.key, VERSION, config, lease)
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2, 3)])
    newer = add_version(table.store, table.key, 1, generation=1)
    table.store.answers.begin(table.key, newer, config, lease)
    keep_answers(table, [{"task": 3, "labels": ["LOGO"]}], newer)
    page = table.screen()
    assert tasks_of(page) == [1, 2, 3]
    assert f"{newer} serves, and still reads the pictures" in page.text
    table.store.answers.finish(table.key, 0, 2)
    assert tasks_of(table.screen()) == [3]


def test_a_task_that_label_studio_has_no_more_is_not_proposed(table: Table) -> None:
    keep_answers(table, [{"task": number, "labels": ["主体"]} for number in (1, 2, 3)])
    assert tasks_of(table.screen()) == [1, 2, 3]
    table.store.tasks.delete(table.key, [2])
    assert tasks_of(table.screen()) == [1, 3]


@pytest.mark.slow
def test_ten_thousand_tasks_within_a_second(table: Table) -> None:
    tasks = range(41, 10_041)
    states = [{"id": number, "data": {}, "updated_at": "2026-11-30T00:00:00Z"} for number in tasks]
    table.store.tasks.upsert(table.key, states_of(states))
    combined = [["主体"], ["主体", "LOGO"], ["价格"], []]
    answers = [
        {"task": number, "labels": combined[number % 4], "look_alike": number // 40, "score": 0.4 + number % 60 / 100}
        for number in tasks
    ]
    keep_answers(table, answers)
    table.screen()
    for place in (f"review?id={table.id}", f"review?id={table.id}&part=rest", f"done?id={table.id}"):
        began = time.process_time()
        assert table.browser.get(place).status_code == 200
        seconds = time.process_time() - began
        print(f"{place}: {seconds:.3f} s")
        assert seconds < 1, place
