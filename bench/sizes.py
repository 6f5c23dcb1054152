"""How much of everything a run of the bench measures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything is run."""

    rounds: int = 3
    batch: int = 8
    open_journeys: int = 2000
    replays: int = 15
    samples: int = 200
    requests: int = 1000
    core_seconds: float = 3.0
    customers: int = 100_000
    ledger_rows: int = 1_000_000
    decisions: int = 1000
    recipients: int = 10_000
    parcels: int = 10_000
    scans_a_second: int = 20
    scan_seconds: int = 30
    burst: int = 600
    outage_journeys: int = 10_000
    outage_seconds: float = 60
    outage_patience: float = 1800


QUICK = Sizes(
    rounds=2,
    batch=4,
    open_journeys=300,
    replays=5,
    samples=40,
    requests=240,
    core_seconds=1.0,
    customers=10_000,
    ledger_rows=100_000,
    decisions=300,
    recipients=1000,
    parcels=1000,
    scan_seconds=6,
    burst=200,
    outage_journeys=200,
    outage_seconds=20,
    outage_patience=120,
)
TINY = Sizes(
    rounds=1,
    batch=1,
    open_journeys=10,
    replays=1,
    samples=3,
    requests=40,
    core_seconds=0.1,
    customers=200,
    ledger_rows=2000,
    decisions=20,
    recipients=60,
    parcels=60,
    scan_seconds=1,
    burst=20,
    outage_journeys=10,
    outage_seconds=2,
    outage_patience=60,
)
