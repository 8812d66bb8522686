"""Logs and metrics of a process: one event a line on stderr, Prometheus on a local port."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from prometheus_client import start_http_server

from .exits import Ended
from .settings import Settings


def configure(settings: Settings) -> None:
    """Send all logs of this process, Faust's too, to stderr, and serve metrics if a port is set."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    final: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        last,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for noisy in ("aiokafka", "faust", "mode", "websockets", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    if settings.metrics_port is not None:
        _serve_metrics(settings.metrics_host, settings.metrics_port)


def _serve_metrics(host: str, port: int) -> None:
    try:
        start_http_server(port, host)
    except OSError as error:
        raise Ended(
            f"metrics cannot be served on {host}:{port}: {error}; set LIQ_METRICS_PORT to a free port"
        ) from error
