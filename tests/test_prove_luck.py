"""Luck, told from an edge: `make prove-luck` with a tenth of its researchers and draws."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "benchmarks" / "prove_luck.py"
CLAIMS = (
    'in noise researchers are told "no edge"',
    "in noise without costs the test is wrong in no more than 5 %",
    "an edge of 0.15 R over 1,000 triggers is found",
    "on draws without an edge the test at 5 % passes no more than 5 %",
)
TENTH = ("--researchers", "10", "--draws", "50")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the proof wrote what it found, in a process of its own."""
    written = tmp_path_factory.mktemp("luck")
    done = run(written)
    assert (written / "luck.md").exists(), done.stdout + done.stderr
    return written


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What it found."""
    whole: dict[str, Any] = json.loads((folder / "luck.json").read_text())
    return whole


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROOF), *TENTH, "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_claimed_of_luck(found: dict[str, Any], claim: str) -> None:
    told = found["claims"].get(claim, {"holds": False, "found": "it was not tried"})
    assert told["holds"], told["found"]


def test_nothing_is_claimed_that_is_not_tested(found: dict[str, Any], folder: Path) -> None:
    assert set(found["claims"]) == set(CLAIMS)
    assert all(f"| {claim} |" in (folder / "luck.md").read_text() for claim in CLAIMS)


def test_the_edge_is_planted_as_it_is_said(found: dict[str, Any]) -> None:
    for one in found["researchers"]:
        assert one["edge"]["triggers"] == pytest.approx(1_000, abs=20)
        assert one["edge"]["planted_r"] == pytest.approx(0.15, abs=0.01)
        assert 150 <= one["noise"]["settings"] <= 200


def test_a_proof_that_was_cut_short_goes_on_with_what_is_missing(found: dict[str, Any], folder: Path) -> None:
    kept = {**found, "cases": dict(list(found["cases"].items())[:-1])}
    (folder / "luck.json").write_text(json.dumps(kept))
    said = run(folder).stdout
    assert json.loads((folder / "luck.json").read_text()) == found
    assert "with the edge\n" not in said
    assert "All claims hold" in said


def test_prices_of_the_quiet_market_are_a_fair_game() -> None:
    from benchmarks.quiet import generator, quiet_days

    tapes = [tape for seed in range(12) for tape in quiet_days(seed, 2, 30)]
    for tape in tapes[:3]:
        known = ~np.isnan(tape.close)
        assert (known == (tape.volume > 0)).all()
        assert (tape.high[known] >= np.maximum(tape.open, tape.close)[known]).all()
        assert (tape.low[known] <= np.minimum(tape.open, tape.close)[known]).all()
    ends, rises = [], []
    for tape in tapes:
        shown = (~np.isnan(tape.close)).sum(axis=0) > 100
        day = tape.close[330:960, shown]
        first, last = (np.array([c[~np.isnan(c)][i] for c in day.T]) for i in (0, -1))
        half = np.array([c[~np.isnan(c)][np.count_nonzero(~np.isnan(c)) // 2] for c in day.T])
        ends.append(float(np.mean(last / first - 1)))
        rises.append(float(np.mean(np.sign(half / first - 1) * (last / half - 1))))
    for mean in (ends, rises):
        assert abs(np.mean(mean)) < 3.5 * np.std(mean, ddof=1) / np.sqrt(len(mean))
    assert generator(1, 2).random() == generator(1, 2).random()
