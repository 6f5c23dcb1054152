"""The worker process: runs journeys and sends their messages."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib.metadata import version
from typing import Final

import asyncpg
import structlog
from temporalio.client import Client
from temporalio.common import MetricMeter, VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import Runtime
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.alerts import Alerting
from activities.by_shop import ByShop
from activities.carriers.pollers import Pollers
from activities.closing import Closing
from activities.deliver import Deliveries, Gap, Sender, no_gap
from activities.keeping import Keeping
from activities.learning import LaneLearning as Learning
from activities.links import Links
from activities.messaging.inbox import Inbox
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from activities.polling import Polling
from activities.remedies import Remedies
from activities.remedy_shop import Gap as RemedyGap
from activities.remedy_shop import no_gap as no_remedy_gap
from activities.shop_deliveries import ShopDeliveries
from activities.shop_sync import ShopSyncs
from activities.shops.apis import ShopApis
from activities.ways import Ways
from journey.intervals import THROTTLE
from journey.playbook import Playbook, PlaybookError, read_published
from store import playbooks
from store.ledger import Ledger
from store.pool import AWAY, Pool
from workers.codec import payload_codec
from workers.connecting import database, temporal_client
from workers.search_attributes import register_where_allowed
from workers.services import ShopParts, alerts_by_shop, apis_of, load_templates, pollers_of, shop_parts
from workers.settings import Settings
from workers.shops import load_shops
from workflows.book_closing import BookClosing
from workflows.carrier_polling import CarrierPolling
from workflows.journey_input import SEARCH_ATTRIBUTES
from workflows.lane_learning import LaneLearning
from workflows.order_journey import OrderJourney
from workflows.past_keeping import PastKeeping
from workflows.registry import PLAYBOOKS, PlaybookRegistry
from workflows.remedy_case import RemedySaga
from workflows.shop_sync import ShopSync

log = structlog.get_logger()
_REFRESH = 10.0


_NO_OWN: Final[Mapping[str, ShopParts]] = {}
_NO_SHOPS: Final = ShopApis([])
_NO_POLLERS: Final = Pollers([])
_NO_METER: Final = MetricMeter.noop


async def load_playbooks(pool: Pool, known: PlaybookRegistry) -> None:
    """Make every published playbook known.

    One that a newer version wrote is not to be read: its journeys wait for a worker that can, all others go on. It is
    logged once, counted in `postlude_playbooks_unreadable`, and named in each failed task of such a journey.
    """
    for digest, content in (await playbooks.unknown_to(pool, known.digests())).items():
        try:
            known.add(digest, read_published(content))
        except PlaybookError as error:
            why = str(error).partition("\n")[0]
            known.refuse(digest, why)
            log.error("playbook_unreadable", playbook=digest, why=why)  # noqa: TRY400  a traceback says no more


@asynccontextmanager
async def playbooks_kept_fresh(
    pool: Pool, known: PlaybookRegistry, meter: MetricMeter = _NO_METER
) -> AsyncIterator[None]:
    """Load what is published, again every few seconds and at once when a journey misses one.

    `meter` counts those that this process cannot read.
    """
    unreadable = meter.create_gauge("postlude_playbooks_unreadable", "Published playbooks this worker cannot read")
    loop, missed = asyncio.get_running_loop(), asyncio.Event()
    known.on_miss = lambda: loop.call_soon_threadsafe(missed.set)

    async def refresh() -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(missed.wait(), _REFRESH)
            missed.clear()
            try:
                await load_playbooks(pool, known)
                unreadable.set(known.unreadable)
            except (*AWAY, asyncpg.PostgresError) as error:
                log.warning("playbooks_not_refreshed", error=type(error).__name__)

    await load_playbooks(pool, known)
    unreadable.set(known.unreadable)
    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        known.on_miss = lambda: None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def build_worker(
    client: Client,
    pool: Pool,
    settings: Settings,
    *,
    senders: Senders,
    templates: Templates,
    links: Links,
    playbook: Callable[[str], Playbook],
    alerts: Alerting | None = None,
    own: Mapping[str, ShopParts] = _NO_OWN,
    shops: ShopApis = _NO_SHOPS,
    pollers: Pollers = _NO_POLLERS,
    gap: Gap = no_gap,
    remedy_gap: RemedyGap = no_remedy_gap,
) -> Worker:
    """A worker for one task queue: journeys and all that is done beside them, over this pool and these vendors.

    `senders`, `templates`, `links` and `alerts` are of all shops without a file, `own` the parts of those with one.
    `playbook` finds a playbook by its digest, for the activities. The workflows ask `workflows.registry.PLAYBOOKS`:
    Temporal makes them and hands them no argument of the worker's.
    """

    def delivering(parts: ShopParts) -> Deliveries:
        its, domain = parts.settings, parts.templates.brand.sender.address.rpartition("@")[2]
        inbox = parts.senders.with_inbox(Inbox(pool))
        sender = Sender(inbox, parts.templates, parts.links, playbook, its.twilio_callback, parts.alerts)
        # One for the process: all a shop's journeys learn from one another which provider is away.
        return Deliveries(pool, Ledger(pool, domain=domain, policy=its.policy), sender, ways=Ways(inbox), gap=gap)

    rest = ShopParts(settings, templates, links, senders, alerts)
    deliveries = ShopDeliveries(ByShop(delivering(rest), {shop: delivering(its) for shop, its in own.items()}))
    remedies = Remedies(pool, playbook, shops, alerts=alerts_by_shop(ByShop(rest, own)), gap=remedy_gap)
    activities: list[Callable[..., object]] = [
        deliveries.deliver,
        deliveries.find_out,
        deliveries.wait_for,
        deliveries.close,
        *remedies.activities,
        Polling(pool, pollers).poll_carrier,
        ShopSyncs(pool, shops).sync,
        Learning(pool).learn,
        Closing(pool, client).close_books,
        Keeping(pool, client).keep_pasts,
    ]
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[OrderJourney, RemedySaga, CarrierPolling, ShopSync, LaneLearning, BookClosing, PastKeeping],
        activities=activities,
        workflow_runner=_runner(settings),
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_activities=settings.concurrent_activities,
        # The intervals of an attempt are derived from it: the SDK's own is 80 % of the heartbeat timeout.
        max_heartbeat_throttle_interval=THROTTLE,
        default_heartbeat_throttle_interval=THROTTLE,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        deployment_config=deployment(settings),
    )


def _runner(settings: Settings) -> WorkflowRunner:
    # The sandbox costs twice the memory and replay time of a journey; the tests replay every history inside it
    # instead, so that production need not (docs/decisions/0004).
    return SandboxedWorkflowRunner() if settings.workflow_sandbox else UnsandboxedWorkflowRunner()


def deployment(settings: Settings) -> WorkerDeploymentConfig:
    """Worker versioning where it is configured, else a name for this build: it stands in every third event."""
    if settings.deployment_name is None or settings.build_id is None:
        # Left to itself the SDK hashes the code: 32 characters, some two kilobytes in a journey's history.
        return WorkerDeploymentConfig(
            version=WorkerDeploymentVersion("postlude", version("postlude")), use_worker_versioning=False
        )
    behaviour = VersioningBehavior.PINNED if settings.versioning == "pinned" else VersioningBehavior.AUTO_UPGRADE
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment_name, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=behaviour,
    )


async def run_worker(
    settings: Settings,
    *,
    temporal_address: str | None = None,
    gap: Gap = no_gap,
    remedy_gap: RemedyGap = no_remedy_gap,
) -> None:
    """Run until SIGTERM or SIGINT, then finish what is under way within the grace period.

    Raises:
        SettingMissingError: a setting is missing.
    """
    settings.needed("email_url")  # mail is the one channel that no shop does without
    configured = load_shops(settings)
    templates = load_templates(settings)
    shops, pollers = apis_of(settings, configured.values()), pollers_of(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    pool = await database(settings.needed("database_url"), size=min(settings.concurrent_activities, 20))
    try:
        client = await temporal_client(
            address=temporal_address, metrics=settings.worker_metrics, codec=payload_codec(settings)
        )
        await register_where_allowed(client, SEARCH_ATTRIBUTES)
        runtime = client.service_client.config.runtime or Runtime.default()
        async with (
            playbooks_kept_fresh(pool, PLAYBOOKS, runtime.metric_meter),
            shop_parts(settings, templates, list(configured.values())) as parts,
        ):
            worker = build_worker(
                client,
                pool,
                settings,
                senders=parts.rest.senders,
                templates=templates,
                links=parts.rest.links,
                playbook=PLAYBOOKS.get,
                alerts=parts.rest.alerts,
                own=parts.own,
                shops=shops,
                pollers=pollers,
                gap=gap,
                remedy_gap=remedy_gap,
            )
            # Templates and models stay for ever: looking them over in every full collection would stall the loop.
            gc.freeze()
            async with worker:
                log.info("worker_started", task_queue=settings.task_queue, build_id=settings.build_id)
                await stopping.wait()
                log.info("worker_stopping")
        log.info("worker_stopped")
    finally:
        await shops.aclose()
        await pollers.aclose()
        await pool.close()
