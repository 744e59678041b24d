"""A desk that runs on and on: `make prove-soak` with few symbols, a few minutes long, and days that pass quickly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import MISSING, executable

PROOF = Path(__file__).resolve().parent.parent / "benchmarks" / "prove_soak.py"
ROLES = ("ingest", "engine", "store", "serve")
CLAIMS = (
    *(f"{role} ran through" for role in ROLES),
    *(f"{what} of {role}: no growth" for role in ROLES for what in ("memory", "open files", "connections")),
    "clients of the bus: no growth",
    "the bus holds nothing beyond the days that are kept",
    "SIGTERM ends it",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if executable() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("soak")
    words = ["--seconds", "150", "--symbols", "50", "--speed", "1200", "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, str(PROOF), *words], capture_output=True, text=True, timeout=280, check=False
    )
    kept = folder / "soak.json"
    assert kept.exists(), done.stdout + done.stderr
    whole: dict[str, Any] = json.loads(kept.read_text())
    return whole


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_claimed_of_a_desk_that_runs_on(found: dict[str, Any], claim: str) -> None:
    told = found["claims"].get(claim, {"holds": False, "found": "it was not tried"})
    assert told["holds"], told["found"]


def test_nothing_is_claimed_that_is_not_tested(found: dict[str, Any]) -> None:
    assert set(found["claims"]) == set(CLAIMS)
