"""The worker process: runs journeys and sends their messages."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterable
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

from activities.alerts import Alerts
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
from activities.shop_sync import ShopSyncs
from activities.shops.apis import ShopApis
from activities.ways import Ways
from journey.intervals import THROTTLE
from journey.playbook import Channel, Playbook, PlaybookError, read_published
from store import playbooks
from store.ledger import Ledger
from store.pool import AWAY, Pool
from workers.connecting import database, temporal_client
from workers.search_attributes import register_where_allowed
from workers.settings import SettingMissingError, Settings, shipped_playbooks
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
SETTING_OF: Final = {
    Channel.EMAIL: "email_url",
    Channel.SMS: "sms_url",
    Channel.WHATSAPP: "whatsapp_url",
    Channel.PUSH: "push_url",
    Channel.WEB_PUSH: "web_push_url",
}
"""The setting that names each channel's providers."""


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


def load_templates(settings: Settings) -> Templates:
    """The templates that ship, with the shop's own files (`POSTLUDE_TEMPLATES`) laid over them.

    Raises:
        TemplateError: one does not compile; named with file and reason.
    """
    return Templates.load(shipped_playbooks(), overlay=settings.templates)


def build_worker(
    client: Client,
    pool: Pool,
    settings: Settings,
    *,
    senders: Senders,
    templates: Templates,
    links: Links,
    playbook: Callable[[str], Playbook],
    alerts: Alerts | None = None,
    shops: ShopApis = _NO_SHOPS,
    pollers: Pollers = _NO_POLLERS,
    gap: Gap = no_gap,
    remedy_gap: RemedyGap = no_remedy_gap,
) -> Worker:
    """A worker for one task queue: journeys and all that is done beside them, over this pool and these vendors.

    `playbook` finds a playbook by its digest, for the activities. The workflows ask `workflows.registry.PLAYBOOKS`:
    Temporal makes them and hands them no argument of the worker's.
    """
    domain = templates.brand.sender.address.rpartition("@")[2]
    sender = Sender(senders.with_inbox(Inbox(pool)), templates, links, playbook, settings.twilio_callback, alerts)
    ledger = Ledger(pool, domain=domain, policy=settings.policy)
    # One for the process: all its journeys learn from one another which provider is away.
    deliveries = Deliveries(pool, ledger, sender, ways=Ways(sender.senders), gap=gap)
    remedies = Remedies(pool, playbook, shops, alerts=alerts, gap=remedy_gap)
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


def senders_of(settings: Settings, channels: Iterable[Channel] = SETTING_OF) -> Senders:
    """The providers that the settings name for these channels; one that is unset has none.

    Raises:
        SettingMissingError: a URL is not usable; names the setting.
    """
    try:
        return Senders.named_by({channel: settings.given(SETTING_OF[channel]) for channel in channels})
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


def alerts_of(settings: Settings, senders: Senders, templates: Templates) -> Alerts:
    """Who is told of what the shop's people have to mend; nobody where `POSTLUDE_ALERT_URL` is unset.

    Raises:
        SettingMissingError: the URL is not usable.
    """
    name = senders.name_for(Channel.EMAIL, "alert")
    email = senders.named(Channel.EMAIL, name) if name is not None else None
    try:
        return Alerts(settings.given("alert_url"), sender=templates.brand.sender.address, email=email)
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


def apis_of(settings: Settings) -> ShopApis:
    """The shops' own APIs that the settings name.

    Raises:
        SettingMissingError: a URL is not usable, or the secret key is unset where one is named; names the setting.
    """
    urls = settings.given("shop_urls")
    try:
        return ShopApis.named_by(urls, secret_key=settings.needed("secret_key") if urls else "")
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


def pollers_of(settings: Settings) -> Pollers:
    """The carriers and services that the settings name to be polled.

    Raises:
        SettingMissingError: a URL is not usable; names the setting.
    """
    try:
        return Pollers.named_by(settings.given("carrier_urls"))
    except ValueError as error:
        raise SettingMissingError(str(error)) from error


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
    links = Links(settings.needed("secret_key"), settings.public_url)
    settings.needed("email_url")  # mail is the one channel that no shop does without
    senders = senders_of(settings)
    templates = load_templates(settings)
    alerts = alerts_of(settings, senders, templates)
    shops, pollers = apis_of(settings), pollers_of(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    pool = await database(settings.needed("database_url"), size=min(settings.concurrent_activities, 20))
    try:
        client = await temporal_client(address=temporal_address, metrics=settings.worker_metrics)
        await register_where_allowed(client, SEARCH_ATTRIBUTES)
        runtime = client.service_client.config.runtime or Runtime.default()
        async with playbooks_kept_fresh(pool, PLAYBOOKS, runtime.metric_meter):
            worker = build_worker(
                client,
                pool,
                settings,
                senders=senders,
                templates=templates,
                links=links,
                playbook=PLAYBOOKS.get,
                alerts=alerts,
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
        await alerts.aclose()
        await senders.aclose()
        await pool.close()
