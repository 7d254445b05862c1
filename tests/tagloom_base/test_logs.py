"""Whatever library logs whatever, by its own handler or ours: no secret reaches the log."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from tagloom_base import logs, redaction

SECRET = "url-secret-0123456789"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the whole process's."""
    root = logging.getLogger()
    before = root.handlers, root.level, logging.getLogRecordFactory(), sys.excepthook, structlog.get_config()
    yield
    root.handlers, root.level = before[:2]
    logging.setLogRecordFactory(before[2])
    sys.excepthook = before[3]
    structlog.configure(**before[4])


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())


def raised() -> Exception:
    try:
        try:
            raise ValueError(f"inner {SECRET}")
        except ValueError as inner:
            raise RuntimeError(f"Illegal header value b'{SECRET}\\r'") from inner
    except RuntimeError as outer:
        return outer


def log_all() -> None:
    for name in ("uvicorn.error", "httpcore.http11", "rq.worker", "sqlalchemy.engine"):
        logger = logging.getLogger(name)
        logger.error("%s at /%s/predict", "GET", SECRET)
        logger.error({"a dictionary": SECRET})
        logger.error("wrong number of words %s %s", SECRET)
        logger.error("failed", exc_info=raised())
        logger.error("long " + "x" * 60_000)
    ours = structlog.stdlib.get_logger("tagloom")
    ours.error("an event", path=f"/{SECRET}/predict", error=raised(), nested={"a": [SECRET]}, token="x-token-x")
    ours.error(f"in the words {SECRET}", exc_info=raised())
    ours.error("forged", path="\n2026-01-01 [info] all is well", long="y" * 60_000)


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_and_no_long_line_in_our_log(capfd: pytest.CaptureFixture[str], as_json: bool) -> None:
    logs.guard([SECRET])
    logs.configure(json=as_json)
    log_all()
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError: Illegal header value" in err
    assert "/***/predict" in err
    assert SECRET not in err
    assert "x-token-x" not in err
    assert not any(line.startswith("2026-01-01 [info] all is well") for line in err.splitlines())
    assert max(map(len, err.splitlines())) < 5_000
    if as_json:
        assert all(isinstance(json.loads(line), dict) for line in err.splitlines())


def test_no_secret_in_the_handler_of_a_library(capfd: pytest.CaptureFixture[str]) -> None:
    logs.guard([SECRET])
    logger = logging.getLogger("rq.test")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    logger.error("job %s failed", SECRET, exc_info=raised())
    logger.error("too few words %s %s", SECRET)
    err = capfd.readouterr().err
    assert "RuntimeError: Illegal header value" in err
    assert SECRET not in err


def test_what_is_not_known_to_be_secret_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """The tests above would fail if nothing were taken out: here nothing is known, and the value shows."""
    logs.configure()
    log_all()
    assert SECRET in capfd.readouterr().err


def test_a_process_that_dies_shows_no_secret() -> None:
    code = f"from tagloom_base import logs\nlogs.guard(['{SECRET}'])\nraise ValueError('bad {SECRET}')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ValueError: bad ***" in done.stderr
