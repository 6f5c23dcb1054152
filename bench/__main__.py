"""`python -m bench`: measure everything and print the table."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import measure
from bench.report import as_json, machine, markdown
from bench.sizes import QUICK, TINY, Sizes
from bench.world import own_servers, world
from workers.logs import configure

_SIZES = {"full": Sizes(), "quick": QUICK, "tiny": TINY}


async def run(sizes: Sizes) -> dict[str, Any]:
    """Measure on servers of their own under a temporary folder; print the report, return its figures."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postlude-bench-", ignore_cleanup_errors=True) as folder:
        async with world(Path(folder) / "home") as made:
            on = await machine(made.client)
            found = await measure(made, sizes)
    print(markdown(found.rows, found.policies, on), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return as_json(found.rows, found.policies, on, found.raw)


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
    own_servers()
    configure("error")
    report = asyncio.run(run(_SIZES[given.size or "full"]))
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
