"""The table that the bench prints: what was measured, beside what, against which target, and on what machine."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client

from bench.cost import Policy

_SMALL = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `met` is None where nothing is asked of it."""

    figure: str
    postlude: str
    bare: str
    target: str
    met: bool | None


def compared(figure: str, ours: float, bare: float, unit: str, *, most: float | None) -> Row:
    """A row of two figures in the same unit; of ours no more than `most` times the bare one is asked, if anything."""
    digits = 2 if bare < _SMALL else 1
    return Row(
        figure,
        f"{ours:.{digits}f} {unit} ({ours / bare:.2f} x)",
        f"{bare:.{digits}f} {unit}",
        "" if most is None else f"≤ {most} x bare",
        None if most is None else ours <= most * bare,
    )


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures come from."""

    cpu: str
    cores: int
    memory_gib: float
    python: str
    sdk: str
    server: str

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB; Python {self.python}, "
            f"temporalio {self.sdk}, Temporal server {self.server}, PostgreSQL embedded, all on this machine"
        )


async def machine(client: Client) -> Machine:
    """This machine and the versions that ran."""
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 0,
        memory_gib=psutil.virtual_memory().total / 2**30,
        python=platform.python_version(),
        sdk=version("temporalio"),
        server=info.server_version,
    )


def markdown(rows: Sequence[Row], policies: Sequence[Policy], on: Machine) -> str:
    """The whole report as Markdown."""
    lines = ["| figure | Postlude | bare | target | met |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {row.figure} | {row.postlude} | {row.bare} | {row.target} | {_word(row.met)} |" for row in rows]
    lines += [
        "",
        "Where continue-as-new pays, played over the recorded journey (days count from delivery):",
        "",
        "| new run | runs | actions | events | history | list price |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.name} | {one.new_runs + 1} | {one.actions} | {one.events} | {one.history_bytes / 1024:.1f} KiB"
        f" | ${one.dollars:.5f} |"
        for one in policies
    ]
    return "\n".join([*lines, "", f"Measured on: {on}"])


def as_json(rows: Sequence[Row], policies: Sequence[Policy], on: Machine, raw: dict[str, Any]) -> dict[str, Any]:
    """The report for programs; `raw` are the numbers behind the rows."""
    return {
        "rows": [asdict(row) for row in rows],
        "policies": [asdict(one) for one in policies],
        "machine": asdict(on),
        "raw": raw,
    }


def _word(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "**no**"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
