"""Nothing is lost and nothing is there twice: `make prove-kills` with a tenth of its hits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
    pytest.skip("no redis-server on PATH: install it (apt install redis-server)", allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "benchmarks" / "prove_kills.py"
CLAIMS = tuple(
    f"{way}: tape, lists, triggers and store as if nothing had happened" for way in ("SIGKILL", "the connection cut")
)
TENTH = ("--rounds", "1", "--hits", "10", "--seconds", "40")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the proof wrote what it found, in a process of its own."""
    written = tmp_path_factory.mktemp("kills")
    command = [sys.executable, str(PROOF), *TENTH, "--out", str(written)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False, env=environment)
    assert (written / "kills.md").exists(), done.stdout + done.stderr
    return written


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What it found."""
    whole: dict[str, Any] = json.loads((folder / "kills.json").read_text())
    return whole


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_claimed_of_kills(found: dict[str, Any], claim: str) -> None:
    told = found["claims"].get(claim, {"holds": False, "found": "it was not tried"})
    assert told["holds"], told["found"]


def test_nothing_is_claimed_that_is_not_tested(found: dict[str, Any], folder: Path) -> None:
    assert set(found["claims"]) == set(CLAIMS)
    assert all(f"| {claim} |" in (folder / "kills.md").read_text() for claim in CLAIMS)


def test_everybody_was_hit_and_the_day_was_worth_it(found: dict[str, Any]) -> None:
    for one in found["rounds"].values():
        assert set(one["hits"]) == {"bus", "ingest", "engine", "engine-2", "store"}
        assert one["closed"] == 960
        assert one["triggers"] > 100
