"""`python -m bench`: measure everything and print the table."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import QUICK, TINY, Sizes, measure
from bench.report import as_json, machine, markdown
from bench.world import world
from workers.logs import configure

_SIZES = {"full": Sizes(), "quick": QUICK, "tiny": TINY}


async def run(sizes: Sizes, output: Path | None) -> None:
    """Measure on servers of their own under a temporary folder; the report goes to stdout, and to `output` as JSON."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postlude-bench-", ignore_cleanup_errors=True) as folder:
        async with world(Path(folder) / "home") as made:
            on = await machine(made.client)
            found = await measure(made, sizes)
    print(markdown(found.rows, found.policies, on), flush=True)
    if output is not None:
        report = as_json(found.rows, found.policies, on, found.raw)
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="The default journey beside a bare workflow.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="a smaller run")
    size.add_argument(
        "--tiny", dest="size", action="store_const", const="tiny", help="every row, and no figure to trust"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("POSTLUDE_", "TEMPORAL_"))]:
        del os.environ[name]  # the bench's servers are its own, whatever the developer's shell says
    configure("error")
    asyncio.run(run(_SIZES[given.size or "full"], given.json))


if __name__ == "__main__":
    main()
