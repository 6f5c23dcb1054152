"""The gateway's figures for Prometheus, in a registry of their own so that apps in one process do not mix."""

import re
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.inbox import Figures

# The label of a figure: a path names orders and links, so only its first part is taken, and only a known one.
_ASKED: Final = re.compile(r"(?:/s/[^/]+)?/(webhooks|notes|devices|confirm|healthz|readyz|o|p|r|u|c)(?:/|$)")
_ERROR: Final = 500
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of the webhooks and gauges of the inbox."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "postlude_webhooks_total", "Webhooks by source and outcome", ["source", "outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "postlude_webhook_seconds",
            "From the first byte to the answer",
            ["source"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.failures = Counter(
            "postlude_failures_total",
            "Answers of 500 and above, by what was asked: webhooks, or a page's first letter or word",
            ["asked", "status"],
            registry=self.registry,
        )
        self._pending = Gauge("postlude_inbox_pending", "Webhooks not delivered yet", registry=self.registry)
        self._waiting = Gauge("postlude_inbox_waiting", "Webhooks whose subject is unknown", registry=self.registry)
        self._oldest = Gauge(
            "postlude_inbox_oldest_seconds", "Age of the oldest webhook not delivered yet", registry=self.registry
        )
        self._dead = Gauge("postlude_dead_letters", "Webhooks given up, for an operator to see", registry=self.registry)

    def observe(self, figures: Figures, *, now: datetime) -> None:
        """Show the inbox as it is `now` (UTC)."""
        self._pending.set(figures.pending)
        self._waiting.set(figures.waiting)
        self._dead.set(figures.dead)
        self._oldest.set(0 if figures.oldest is None else max(0.0, (now - figures.oldest).total_seconds()))

    def forget(self) -> None:
        """Show that nobody knows, while the database is away: an old figure would look like a good one."""
        for gauge in (self._pending, self._waiting, self._oldest, self._dead):
            gauge.set(float("nan"))


class CountedFailures:
    """An app whose answers of 500 and above are counted, and what it raises as a 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap `app`."""
        self._app = app
        self._failures = metrics.failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and look at the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        answered = 0

        async def watched(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                if answered >= _ERROR:
                    self._count(scope, answered)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if answered < _ERROR:
                self._count(scope, _ERROR)
            raise

    def _count(self, scope: Scope, status: int) -> None:
        found = _ASKED.match(scope["path"])
        self._failures.labels(found[1] if found else "other", str(status)).inc()
