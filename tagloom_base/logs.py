"""Logging of every process: one line per event, without tokens and secrets."""

import logging
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any

import structlog

from tagloom_base import redaction

REQUEST = "request"
"""The field of the id of the request that a line belongs to, or that asked for its job."""

# Fields that records of the standard library may have as ``extra``.
_IDS = ("job", "kind", "project", REQUEST, "version")


def configure(json: bool = False, level: int = logging.INFO, *, ids: Mapping[str, str] | None = None) -> None:
    """Send structlog's events and the standard library's records to stderr, as plain text or one JSON object a line.

    Each line of this process carries the ``ids``, from all its threads.
    """
    guard()
    own = dict(ids or {})

    def with_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**own, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        with_ids,
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
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(_IDS), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def guard(secrets: Iterable[str] = ()) -> None:
    """Remove secrets from every log record of this process, whichever library writes it.

    An exception that ends the process is shown without secrets, too. ``secrets`` are added to those known already.
    """
    redaction.keep_out(*secrets)
    logging.setLogRecordFactory(_record)
    sys.excepthook = _died


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact and shorten each field of an event. A field whose name says that it is secret loses its value."""
    for name, value in event.items():
        # Such a field belongs to structlog itself.
        if name.startswith("_"):
            continue
        if redaction.is_secret(name):
            event[name] = redaction.HIDDEN
        else:
            event[name] = redaction.trace(value) if name == "exception" else redaction.loggable(value)
    return event


def _record(*args: Any, **named: Any) -> logging.LogRecord:
    """Make a log record without secrets; a record factory of the standard library."""
    record = logging.LogRecord(*args, **named)
    # This is an event of structlog, which hide_secrets has redacted.
    if isinstance(record.msg, dict):
        return record
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Format and arguments do not match. The logging library would print both, without redaction.
        message = f"{record.msg} {record.args}"
    record.msg, record.args = redaction.loggable(message), ()
    if record.exc_info and record.exc_info[1]:
        record.exc_text = redaction.trace("".join(traceback.format_exception(record.exc_info[1])).rstrip("\n"))
    return record


def _died(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Print an exception that ends the process, without secrets; a hook of the interpreter."""
    sys.stderr.write(redaction.trace("".join(traceback.format_exception(error))))
