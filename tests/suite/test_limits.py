"""The suite's own promise: a test that hangs ends, by its name, and the others go on."""

import subprocess
import sys

from tests.cli.commands import ROOT
from tests.support.patience import PATIENCE

HANGING = """
import asyncio

async def test_waits_for_ever():
    await asyncio.Event().wait()

async def test_that_comes_after():
    pass
"""


def test_a_test_that_hangs_is_named_and_the_others_go_on(tmp_path, pytestconfig):
    """Every test has a limit, longer than any wait within it; here a shorter one, in a run like the suite's own."""
    assert float(pytestconfig.getini("timeout")) > PATIENCE
    (tmp_path / "test_hanging.py").write_text(HANGING)
    options = ["-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-n", "1", "--timeout", "1"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "crashed while running 'test_hanging.py::test_waits_for_ever'" in ran.stdout, ran.stdout + ran.stderr
    assert "1 failed, 1 passed" in ran.stdout
