"""Tasks exchange their scores, so that Label Studio shows them in the order of the active choice."""

from dataclasses import replace
from typing import Any

from model.items import Prediction
from tests.model.boxes.pictures import LABELS, shop_picture
from worker.predictions.choice import Choice


def noted(choice: Choice, tasks: list[tuple[int, str, float]]) -> dict[int, dict[str, Any]]:
    """Note tasks, given as number, title and probability of each label; return their answers."""
    features = [replace(shop_picture(len(title)), title=title) for _, title, _ in tasks]
    predictions = [Prediction(dict.fromkeys(LABELS, p), (), (), max(p, 1 - p) ** 5) for _, _, p in tasks]
    objects = [{"id": number, "data": {}} for number, _, _ in tasks]
    choice.note(objects, features, predictions)
    return {
        number: {"task": number, "score": prediction.score}
        for (number, _, _), prediction in zip(tasks, predictions, strict=True)
    }


def test_views_of_a_product_do_not_follow_each_other_and_scores_say_so() -> None:
    choice = Choice("", 7)
    tasks = [(1, "mug", 0.5), (2, "mug", 0.51), (3, "teapot", 0.4), (4, "lampshade", 0.3), (5, "mug", 0.5)]
    answers = noted(choice, tasks)
    ordered = choice.ordered(answers)
    title_of = {number: title for number, title, _ in tasks}
    assert {title_of[number] for number in list(ordered)[:3]} == {"mug", "teapot", "lampshade"}
    scores = [answer["score"] for answer in ordered.values()]
    assert scores == sorted(answer["score"] for answer in answers.values())
    assert all(answer["task"] == number for number, answer in ordered.items())


def test_tasks_of_which_nothing_was_known_come_last_and_each_window_starts_anew() -> None:
    choice = Choice("", 7)
    answers = noted(choice, [(1, "mug", 0.5), (2, "teapot", 0.2)])
    assert list(choice.ordered({9: {"task": 9, "score": 0.0}, **answers}))[-1] == 9
    assert list(choice.ordered(noted(choice, [(3, "mug", 0.5)]))) == [3]
    assert choice.ordered({}) == {}
