"""The project's own command, run as a person would: a process of its own with an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import PATIENCE
from workers.embedded import EmbeddedStack

PROGRAM = Path(sys.executable).with_name("postlude")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def postlude(*arguments: str, environment: Mapping[str, str], timeout: float = PATIENCE) -> Ran:
    """Run `postlude …` with nothing of ours in its environment but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTLUDE_", "TEMPORAL_"))}
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=ROOT,
        env=kept | {"COLUMNS": "120", "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def servers(stack: EmbeddedStack, database_url: str, home: Path) -> dict[str, str]:
    """The environment of a process that works on the tests' servers."""
    return {
        "POSTLUDE_HOME": str(home / "nobody-is-up-here"),
        "POSTLUDE_DATABASE_URL": database_url,
        "POSTLUDE_SECRET_KEY": "test-secret-key",
        "POSTLUDE_EMAIL_URL": stack.smtp_url,
        "TEMPORAL_ADDRESS": stack.temporal_address,
    }
