"""Logging of every process: one clear line per event, never a token or a secret."""

import logging
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from types import TracebackType
from typing import Any

import structlog

from tagloom_base import redaction


def configure(json: bool = False, level: int = logging.INFO) -> None:
    """Send structlog's events and the standard library's records to stderr, as plain text or one JSON object a line."""
    guard()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def guard(secrets: Iterable[str] = ()) -> None:
    """Keep secrets out of every record of this process, whichever library writes it and whichever handler shows it.

    A process that dies of an exception shows its traceback without them, too.
    """
    redaction.keep_out(*secrets)
    logging.setLogRecordFactory(_record)
    sys.excepthook = _died


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make each field of an event fit for a log; the value of one whose name says that it is a secret goes."""
    for name, value in event.items():
        if name.startswith("_"):  # structlog's own
            continue
        if redaction.is_secret(name):
            event[name] = redaction.HIDDEN
        else:
            event[name] = redaction.trace(value) if name == "exception" else redaction.loggable(value)
    return event


def _record(*words: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*words, **named)
    if isinstance(record.msg, dict):  # one of structlog's events, which hide_secrets has seen
        return record
    try:
        said = record.getMessage()
    except (TypeError, ValueError, KeyError):  # logging itself would print words and values as they are
        said = f"{record.msg} {record.args}"
    record.msg, record.args = redaction.loggable(said), ()
    if record.exc_info and record.exc_info[1]:
        record.exc_text = redaction.trace("".join(traceback.format_exception(record.exc_info[1])).rstrip("\n"))
    return record


def _died(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    sys.stderr.write(redaction.trace("".join(traceback.format_exception(error))))
