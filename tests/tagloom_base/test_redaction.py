"""No secret is shown: neither one that is known, however it is written, nor one that stands where secrets stand."""

import base64
import json
import time
import urllib.parse
from collections.abc import Callable

import pytest

from tagloom_base import redaction
from tagloom_base.redaction import LONGEST, LONGEST_TRACE, loggable, redacted, trace

SECRET = "s3cr/et pä#ss密"


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())
    redaction.keep_out(SECRET, "url-secret-0123456789")


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in a URL": urllib.parse.quote,
    "in a form": urllib.parse.quote_plus,
    "in a URL, in full": lambda text: urllib.parse.quote(text, safe=""),
    "lower case": lambda text: urllib.parse.quote(text, safe="").replace("%2F", "%2f"),
    "every character": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "twice": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "bytes": lambda text: repr(text.encode())[2:-1],
    "ascii": lambda text: ascii(text)[1:-1],
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_known_secret_is_hidden_in_every_form(form: str) -> None:
    assert redacted(f"before {WRITTEN[form](SECRET)} after") == "before *** after"


@pytest.mark.parametrize("form", ["plain", "every character", "twice"])
def test_a_secret_of_letters_too(form: str) -> None:
    assert redacted(f"GET /proxy/{WRITTEN[form]('url-secret-0123456789')}/predict") == "GET /proxy/***/predict"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("redis://:Sec%23ret9@h:6379/0", "redis://***@h:6379/0"),
        ("redis://:se@cret@h/0", "redis://***@h/0"),
        ("redis://h/0?password=Sec%23ret9", "redis://h/0?***"),
        ("see https://bucket/x.png?X-Amz-Signature=abc.", "see https://bucket/x.png?***"),
        ("Illegal header value b'Token abcdefgh12345678\\r'", "Illegal header value b'Token ***\\r'"),
        ("Authorization: Basic dTpwYXNzd29yZDEyMw==", "Authorization: Basic ***"),
        ("{'access_token': 'abc'}", "{'access_token': '***'}"),
        ('{"password":"abc"}', '{"password":"***"}'),
        ("LABEL_STUDIO_API_KEY=abc", "LABEL_STUDIO_API_KEY=***"),
        ("eyJhbGciOiJI.eyJ0b2tlbl90.c2lnbmF0dXJl expired", "*** expired"),
        (
            "the token is refused (401): set LABEL_STUDIO_API_KEY",
            "the token is refused (401): set LABEL_STUDIO_API_KEY",
        ),
        ("http://127.0.0.1:8080/data/upload/1.png", "http://127.0.0.1:8080/data/upload/1.png"),
    ],
)
def test_what_stands_where_secrets_stand_is_hidden_and_the_rest_stays(text: str, left: str) -> None:
    assert redacted(text) == left


def test_values_are_cut_without_leaving_a_part_of_a_secret() -> None:
    text = "a" * (LONGEST // 2 - 10) + SECRET + "b" * 60_000
    assert len(loggable(text)) < LONGEST + 40
    assert "s3cr" not in loggable(text)
    assert "characters…" in loggable(text)
    assert len(loggable({"a": text})) < LONGEST + 40
    assert len(trace("x\n" * 60_000)) < LONGEST_TRACE + 40


def test_nobody_writes_lines_of_their_own() -> None:
    assert loggable("a\nfake\x1b[31m\u2028\ud800") == "a\\nfake\\x1b[31m\\u2028\\ud800"
    assert trace("one\ntwo\x1b") == "one\ntwo\\x1b"


def test_fields_keep_their_kind_and_nested_secrets_go() -> None:
    assert loggable({"n": 1, "rate": 0.5, "on": True, "list": [SECRET], "api_key": "x"}) == {
        "n": 1, "rate": 0.5, "on": True, "list": ["***"], "api_key": "***",
    }  # fmt: skip


def test_short_secrets_and_short_tokens_of_requests_do_not_blank_words() -> None:
    redaction.keep_out("abc", "")
    redaction.keep_out("predict", passing=True)
    assert redacted("abc predict") == "abc predict"


@pytest.mark.slow
def test_passing_tokens_are_forgotten_and_lasting_secrets_are_not() -> None:
    for number in range(redaction.PASSING + 1):
        redaction.keep_out(f"passing-token-{number:010}", passing=True)
    assert redacted("passing-token-0000000000") == "passing-token-0000000000"
    assert redacted("passing-token-0000000001 url-secret-0123456789") == "*** ***"


@pytest.mark.parametrize("piece", ["a", "://", "://a", "%", "\\", "token", "eyJ", "Token ", "://?", "password=", "%25"])
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    redacted(piece * 10)
    begin = time.process_time()
    loggable(piece * (200_000 // len(piece)))
    trace(piece * (200_000 // len(piece)))
    assert time.process_time() - begin < 2


def test_base64_of_basic_auth_is_a_secret_of_its_own() -> None:
    basic = base64.b64encode(b"u:p").decode()
    redaction.keep_out(basic)
    assert basic not in redacted(f"given {basic}")
