import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from backend.inference import NEW_BATCH, Inference
from model.features.item import ItemFeatures
from model.items import Item, Prediction
from tests.backend.parts import CheapEncoders, features_of

PROJECT = "default/1.1"


class Recording:
    """Answers with the title's number as score, and remembers its batches. ``begun`` is set with the first one."""

    def __init__(self, pause: float = 0.0) -> None:
        self.batches: list[list[str]] = []
        self.pause = pause
        self.begun = threading.Event()

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]:
        self.batches.append([entry.title for entry in features])
        self.begun.set()
        time.sleep(self.pause)
        if any(entry.title == "bad" for entry in features):
            raise ValueError("cannot")
        return [Prediction({}, (), (), float(entry.title)) for entry in features]


def items(*titles: str) -> list[ItemFeatures]:
    return [features_of(Item(None, title)) for title in titles]


@pytest.fixture
def inference() -> Iterator[Inference]:
    made = Inference(CheapEncoders(), max_batch=8)
    yield made
    made.close()


def together(*calls: threading.Thread) -> None:
    for call in calls:
        call.start()
    for call in calls:
        call.join()


def test_answers_come_back_in_order_in_pieces(inference: Inference) -> None:
    tagger = Recording()
    answers = inference.predict(PROJECT, tagger, items(*(str(number) for number in range(20))))
    assert [answer.score for answer in answers if answer] == list(range(20))
    assert [len(batch) for batch in tagger.batches] == [8, 8, 4]


def test_waiting_requests_share_a_batch_and_get_their_own_answers(inference: Inference) -> None:
    tagger = Recording(pause=0.1)
    got: dict[int, list[Prediction | None]] = {}

    def ask(number: int) -> None:
        got[number] = inference.predict(PROJECT, tagger, items(str(number)))

    together(*(threading.Thread(target=ask, args=(number,)) for number in range(7)))
    assert {number: answers[0].score for number, answers in got.items() if answers[0]} == {n: n for n in range(7)}
    assert len(tagger.batches) < 7
    assert max(len(batch) for batch in tagger.batches) > 1


def test_nobody_waits_for_a_long_picture_in_the_same_batch(inference: Inference) -> None:
    tagger = Recording(pause=0.1)
    pages = [replace(entry, size=(400, 4000)) for entry in items("5", "6")]
    quick = [threading.Thread(target=inference.predict, args=(PROJECT, tagger, items(str(n)))) for n in range(4)]
    slow = [threading.Thread(target=inference.predict, args=("default/2.1", tagger, [page])) for page in pages]
    together(quick[0], slow[0], quick[1], slow[1], *quick[2:])
    assert ["5"] in tagger.batches
    assert ["6"] in tagger.batches


def test_batches_never_mix_models(inference: Inference) -> None:
    taggers = [Recording(pause=0.02), Recording(pause=0.02)]
    calls = [
        threading.Thread(target=inference.predict, args=(PROJECT, taggers[number % 2], items(str(number % 2))))
        for number in range(12)
    ]
    together(*calls)
    for number, tagger in enumerate(taggers):
        assert {title for batch in tagger.batches for title in batch} == {str(number)}


def test_a_bad_item_fails_alone(inference: Inference) -> None:
    answers = inference.predict(PROJECT, Recording(), items("1", "bad", "3"))
    assert [answer and answer.score for answer in answers] == [1, None, 3]


def test_a_small_request_slips_in_before_a_large_one_ends(inference: Inference) -> None:
    tagger = Recording(pause=0.05)
    large = threading.Thread(target=inference.predict, args=(PROJECT, tagger, items(*["1"] * 80)))
    large.start()
    assert tagger.begun.wait(10)
    inference.predict(PROJECT, tagger, items("2"))
    assert large.is_alive()
    large.join()


def test_answers_go_before_reading_pictures() -> None:
    encoders = CheapEncoders()
    inference = Inference(encoders, max_batch=8)
    seen: list[str] = []
    begun = threading.Event()

    class Slow(CheapEncoders):
        def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
            begun.set()
            time.sleep(0.05)
            seen.append(f"read {len(items)}")
            return super().extract(items)

    inference.close()
    inference = Inference(Slow(), max_batch=8)
    reading = threading.Thread(
        target=inference.extract,
        args=(
            PROJECT,
            [Item(None, str(n)) for n in range(10 * NEW_BATCH)],
        ),
    )
    reading.start()
    assert begun.wait(10)
    inference.predict(PROJECT, Recording(), items("1"))
    assert len(seen) <= 2
    reading.join()
    inference.close()


def test_after_closing_nobody_waits_for_ever() -> None:
    inference = Inference(CheapEncoders())
    inference.close()
    with pytest.raises(RuntimeError, match="closing"):
        inference.predict(PROJECT, Recording(), items("1"))
