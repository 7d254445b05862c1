"""Tasks exchange their scores, so that Label Studio shows them in the order of the active choice."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.model.boxes.pictures import LABELS, shop_picture
from worker.corpus.kin import Kin
from worker.predictions.choice import Choice


def choice(tasks: list[tuple[int, str, float]], labelled: Iterable[str] = ()) -> Choice:
    return Choice(Kin({number: title for number, title, _ in tasks}, frozenset(labelled)), 7)


def noted(choice: Choice, tasks: list[tuple[int, str, float]]) -> dict[int, dict[str, Any]]:
    """Note tasks, given as number, title and probability of each label; return their answers."""
    features = [replace(shop_picture(len(title)), title=title) for _, title, _ in tasks]
    choice.note([number for number, _, _ in tasks], features, [dict.fromkeys(LABELS, p) for _, _, p in tasks])
    return {number: {"task": number, "score": max(p, 1 - p) ** 5} for number, _, p in tasks}


TASKS = [(1, "mug", 0.5), (2, "mug", 0.51), (3, "teapot", 0.4), (4, "lampshade", 0.3), (5, "mug", 0.5)]
TITLE_OF = {number: title for number, title, _ in TASKS}


def test_views_of_a_product_do_not_follow_each_other_and_scores_say_so() -> None:
    chosen = choice(TASKS)
    answers = noted(chosen, TASKS)
    ordered = chosen.ordered(answers)
    assert {TITLE_OF[number] for number in list(ordered)[:3]} == {"mug", "teapot", "lampshade"}
    scores = [answer["score"] for answer in ordered.values()]
    assert scores == sorted(answer["score"] for answer in answers.values())
    assert all(answer["task"] == number for number, answer in ordered.items())


def test_kin_of_labelled_tasks_and_of_tasks_put_before_come_late() -> None:
    chosen = choice(TASKS, labelled=["mug"])
    noted(chosen, TASKS)
    assert {TITLE_OF[number] for number in chosen.order(2)} == {"teapot", "lampshade"}
    noted(chosen, [(6, "sock", 0.05), *TASKS])
    assert chosen.order(1) == [6], "all others had their turn in the order before"


def test_tasks_of_which_nothing_was_known_come_last_and_each_window_starts_anew() -> None:
    chosen = choice([])
    answers = noted(chosen, [(1, "mug", 0.5), (2, "teapot", 0.2)])
    assert list(chosen.ordered({9: {"task": 9, "score": 0.0}, **answers}))[-1] == 9
    assert list(chosen.ordered(noted(chosen, [(3, "mug", 0.5)]))) == [3]
    assert chosen.ordered({}) == {}
