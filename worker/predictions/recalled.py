"""What a version is known to say of tasks, from the answers that a worker has kept."""

from collections.abc import Mapping

from model.items import Box, PredictedBox, Prediction
from store.answers import Answer, Answers


def recalled(
    answers: Answers, project_key: str, version: str, item_keys: Mapping[int, str], *, with_boxes: bool
) -> dict[int, Answer]:
    """Return the kept answers by task id, of those tasks whose features have the key that the answer was given to."""
    found = answers.of_tasks(project_key, version, item_keys) if item_keys else {}
    # An answer may have been kept before the labelling config got or lost its boxes. One with boxes was given to a
    # config that has them; of one without boxes nobody knows, so it serves only where there are none.
    return {
        number: answer
        for number, answer in found.items()
        if answer.item_key == item_keys[number] and bool(answer.boxes) is with_boxes
    }


def prediction_of(answer: Answer) -> Prediction:
    """Return the prediction, with probabilities and boxes to five decimals."""
    boxes = tuple(PredictedBox(label, Box(*edges), score) for label, *edges, score in answer.boxes)
    return Prediction(answer.probabilities, answer.labels, boxes, answer.score)
