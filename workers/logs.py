"""Structured logs: one JSON object a line, with order and touch, never with a person."""

import logging
import sys
from typing import TextIO, cast

import structlog


def configure(level: str = "info") -> None:
    """Log JSON to stderr from `level` on; stdout stays free for what a command prints."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Stderr:
    """Whatever `sys.stderr` is by then: loggers outlive the streams of a command that is run within a process."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Json(logging.Formatter):
    """Libraries' log lines in the same shape, without their texts.

    Only logger, level and exception type: the rest is not ours to vouch for, and an SMTP or SQL error may quote
    an address.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {"event": "library_log", "logger": record.name, "level": record.levelname.lower()}
        if record.name.startswith("temporalio"):
            fields["message"] = str(record.msg)[:300]
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
        return str(structlog.processors.JSONRenderer()(None, "", dict(fields)))
