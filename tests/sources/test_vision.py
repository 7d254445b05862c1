"""The vision model's endpoint as a source, asked over real HTTP."""

import email.utils
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sources.answers import Kind, SourceTrouble
from sources.interface import Item, Label
from sources.vision import Budget, Endpoint, VisionSource
from store.sources import Spent
from store.store import Store
from testing.vision import Question, Raw, Reply, VisionServer

LABELS = (Label("LOGO"), Label("价格"))
ITEM = Item("杯子 1", ("家居",), labels=LABELS)
KEY = "sk-of-a-hosted-model-0001"
GOOD = '{"labels": {"LOGO": 0.9}}'


class Waits:
    """Notes the waits and does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        if seconds:
            self.seconds.append(round(seconds, 1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'tagloom.db'}")
    yield opened
    opened.close()


Ask = Callable[..., VisionSource]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def source(store: Store, waits: Waits) -> Iterator[Ask]:
    """Makes the source of a server, known to the store."""
    made: list[VisionSource] = []

    def make(server: VisionServer | str, **options: object) -> VisionSource:
        url = server if isinstance(server, str) else server.url
        endpoint = replace(Endpoint(url, "qwen2.5vl:7b", KEY, per_minute=6000.0, seconds=5.0), **options)  # type: ignore[arg-type]
        one = VisionSource(endpoint, store.sources, wait=waits)
        store.sources.note_all({one.name: (one.version, one.about)})
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def always(text: str | Raw) -> Reply:
    return lambda _: text


def trouble(source: VisionSource, item: Item = ITEM) -> SourceTrouble:
    with pytest.raises(SourceTrouble) as raised:
        source.ask(item)
    return raised.value


def test_the_model_gets_picture_title_and_labels_and_its_answer_is_kept_as_said(source: Ask, tmp_path: Path) -> None:
    Image.new("RGB", (1000, 500), "red").save(tmp_path / "p.jpg")
    reply = json.dumps({"labels": {"LOGO": True, "价格": 0.2}, "boxes": [{"label": "LOGO", "box": [0, 0, 0.5, 1]}]})
    with VisionServer(always(reply)) as server:
        said = source(server, side=256).ask(replace(ITEM, size=(1000, 500), fetch=lambda: tmp_path / "p.jpg"))
    assert said.as_json() == {"labels": {"LOGO": 1.0, "价格": 0.2}, "boxes": [["LOGO", 0.0, 0.0, 0.5, 1.0]]}
    (asked,) = server.asked
    assert (asked.title, asked.labels) == ("杯子 1", ("LOGO", "价格"))
    assert asked.authorization == f"Bearer {KEY}"
    with Image.open(io.BytesIO(asked.picture)) as sent:
        assert (sent.format, sent.size) == ("JPEG", (256, 128))
    assert asked.body["model"] == "qwen2.5vl:7b"


def test_an_item_without_a_picture_is_asked_about_by_its_texts(source: Ask) -> None:
    with VisionServer(always(GOOD)) as server:
        assert source(server).ask(ITEM).labels == {"LOGO": 0.9}
    assert server.asked[0].picture == b""


def test_name_and_version_follow_the_model(source: Ask) -> None:
    one, other, third = source("http://x/v1"), source("http://x/v1", model="gpt-x"), source("http://x/v1", side=512)
    assert one.name == "vision qwen2.5vl-7b"
    assert other.name == "vision gpt-x"
    assert (third.name == one.name, third.version == one.version) == (True, False)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again_with_growing_pauses(source: Ask, waits: Waits, status: int) -> None:
    answers: list[str | Raw] = [Raw(status), Raw(status), GOOD]
    with VisionServer(lambda _: answers.pop(0)) as server:
        assert source(server).ask(ITEM).labels == {"LOGO": 0.9}
    assert [wait for wait in waits.seconds if wait >= 1] == [1.0, 2.0]


def test_retry_after_is_respected_in_both_forms(source: Ask, waits: Waits) -> None:
    at = email.utils.formatdate(time.time() + 9, usegmt=True)
    answers: list[str | Raw] = [Raw(429, headers={"Retry-After": "7"}), Raw(503, headers={"Retry-After": at}), GOOD]
    with VisionServer(lambda _: answers.pop(0)) as server:
        assert source(server).ask(ITEM).labels
    first, second = (wait for wait in waits.seconds if wait >= 1)
    assert first == 7.0
    assert 7.5 <= second <= 9.1


def test_a_long_retry_after_ends_the_round_and_holds_for_all_workers(source: Ask) -> None:
    with VisionServer(always(Raw(429, headers={"Retry-After": "300"}))) as server:
        one = source(server)
        first = trouble(one)
        assert (first.kind, first.later) == (Kind.AWAY, 300.0)
        again = trouble(source(server))
        assert again.kind is Kind.AWAY
        assert again.later is not None
        assert 290 < again.later <= 300
    assert len(server.asked) == 1


def test_a_server_that_is_away_or_slow_or_broken_is_left_alone_after_three_tries(source: Ask) -> None:
    with VisionServer(always(GOOD), pause=1.0) as slow:
        found = trouble(source(slow, seconds=0.2))
        assert (found.kind, len(slow.asked)) == (Kind.AWAY, 3)
        assert "ReadTimeout" in found.text
    with VisionServer(always(Raw(500))) as broken:
        found = trouble(source(broken))
        assert (found.kind, len(broken.asked)) == (Kind.AWAY, 3)
        assert "status 500 after 3 tries" in found.text
    found = trouble(source(broken))  # it has ended by now
    assert found.kind is Kind.AWAY
    assert "ConnectError" in found.text
    assert found.later


@pytest.mark.parametrize(
    ("raw", "kind", "words", "rests"),
    [
        (Raw(401), Kind.AWAY, "correct TAGLOOM_VISION_KEY", True),
        (Raw(404), Kind.AWAY, "correct TAGLOOM_VISION_URL", True),
        (Raw(302, headers={"Location": "http://elsewhere/"}), Kind.AWAY, "status 302", True),
        (Raw(400, b'{"error": "this picture is not allowed"}'), Kind.REFUSES, "this picture is not allowed", False),
        (Raw(200, b"<html>"), Kind.NONSENSE, "none of the chat completions API", False),
        (Raw(200, b"x" * 1_100_000), Kind.NONSENSE, "1,000,000 bytes", False),
        ("I see a cup.", Kind.NONSENSE, "no JSON in the reply", False),
    ],
)
def test_other_answers_are_told_and_asked_for_once(
    source: Ask, raw: Raw | str, kind: Kind, words: str, rests: bool
) -> None:
    with VisionServer(always(raw)) as server:
        found = trouble(source(server))
    assert found.kind is kind
    assert words in found.text
    assert (found.later is not None) is rests
    assert len(server.asked) == 1


def test_labels_of_others_are_left_out_and_told(source: Ask) -> None:
    with VisionServer(always('{"labels": {"LOGO": 0.9, "cat": 1}}')) as server:
        said = source(server).ask(ITEM)
    assert said.labels == {"LOGO": 0.9}
    assert "cat" in said.dropped[Kind.OTHER_LABELS]


def test_the_budget_of_requests_counts_tries_and_survives_restarts(source: Ask, store: Store) -> None:
    answers: list[str | Raw] = [Raw(500), GOOD, GOOD]
    with VisionServer(lambda _: answers.pop(0)) as server:
        assert source(server, budget=Budget(requests=3)).ask(ITEM).labels
        assert source(server, budget=Budget(requests=3)).ask(ITEM).labels
        # A source that has been made anew, as after a restart.
        found = trouble(source(server, budget=Budget(requests=3)))
    assert found.kind is Kind.BUDGET
    assert "3 of 3 requests are used: raise TAGLOOM_VISION_REQUESTS" in found.text
    assert len(server.asked) == 3
    assert store.sources.spent("vision qwen2.5vl-7b") == Spent(3, 2200, 0.0)


def test_tokens_and_money_are_counted_at_the_prices(source: Ask, store: Store) -> None:
    budget = Budget(money=0.0046, input_price=2.0, output_price=3.0)
    with VisionServer(always(GOOD), usage=(1000, 100)) as server:
        one = source(server, budget=budget)
        assert one.ask(ITEM).labels
        assert store.sources.spent(one.name).money == pytest.approx(0.0023)
        assert one.ask(ITEM).labels
        found = trouble(one)
        assert "TAGLOOM_VISION_MONEY" in found.text
        assert "TAGLOOM_VISION_TOKENS" in trouble(source(server, budget=Budget(tokens=2200))).text
    assert len(server.asked) == 2


def test_a_reply_of_no_use_is_paid_for_too_and_tokens_are_estimated_where_nobody_counts(
    source: Ask, store: Store
) -> None:
    with VisionServer(always("no JSON"), usage=None) as server:
        one = source(server)
        assert trouble(one).kind is Kind.NONSENSE
    assert store.sources.spent(one.name).tokens > 200


def test_requests_keep_their_distance(source: Ask, store: Store, waits: Waits) -> None:
    with VisionServer(always(GOOD)) as server:
        one, other = source(server, per_minute=30.0), source(server, per_minute=30.0)
        for asking in (one, other, one):
            assert asking.ask(ITEM).labels
    # Nothing was waited for in this test, so that the third is due four seconds after the first.
    assert [round(wait) for wait in waits.seconds] == [2, 4]


def test_the_key_is_in_no_log_and_no_message(source: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(question: Question) -> Raw:
        return Raw(500 if len(server.asked) < 3 else 401)

    with VisionServer(echo) as server:
        one = source(server)
        found = trouble(one)
    assert KEY not in caplog.text + found.text + repr(dict(one.about))
