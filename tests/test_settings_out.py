"""What was tuned goes out as a settings file, and the replay, the demo and the live page take it."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, expect

import scanner_kit as sk
from scanner_kit import cli
from scanner_kit import scanners as built_in
from scanner_kit.settings import VARIABLE, Settings
from scanner_kit.tables import trigger_table
from scanner_kit.tuning.lab import Lab, toml_of

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120_000
MOVES: dict[str, dict[str, Any]] = {
    "hod_break": {"min_rvol": None, "min_dollar_volume": 20_000, "breakout": "close", "rearm_pct": 0.25},
    "lod_break": {
        "min_rvol": None,
        "min_price": None,
        "max_price": 120.5,
        "sessions": ["PRE", "REGULAR"],
        "cooldown": 3,
    },
    "unusual_volume": {"min_rvol": 0, "min_rvol_5m": 0.1, "min_dollar_volume": (5_000, 50_000.5), "stop_atr": 0},
    "orb_break_up": {
        "min_rvol": None,
        "minutes": 5,
        "exclude": ['A "B" \\ C', "é", "a\tb\n"],
        "min_volume_1m": np.float64(500),
    },
    "momentum": {"min_change_5m": 1e-7, "min_rvol": None, "min_rsi": np.float64(51.5), "top": 3},
    "vwap_reclaim": {},
}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three simulated days in a file."""
    days, day = [], sk.TradingDay.of("2025-06-18")
    for _ in range(3):
        days.append(sk.SimulatedMarket(symbols=25, day=day.date).frame())
        day = sk.TradingDay.after(day.date)
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    pd.concat(days).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def history(bars: Path) -> sk.History:
    return sk.measure(bars, cache=False, progress=False)


@pytest.mark.parametrize("name", MOVES)
def test_a_settings_file_of_the_lab_gives_its_scanner_again(history: sk.History, name: str) -> None:
    lab = Lab(history, built_in.roster([name])[0])
    lab.move(**MOVES[name])
    given = Settings.of(tomllib.loads(lab.toml())).roster([name])[0]
    assert given.settings_id == lab.scanner.settings_id
    assert set(tomllib.loads(lab.toml())["scanners"][name]) == set(MOVES[name])


@pytest.mark.parametrize("name", ["hod_break", "lod_break", "orb_break_up"])
def test_a_replay_under_the_file_has_exactly_the_triggers_of_the_lab(
    history: sk.History, bars: Path, tmp_path: Path, name: str
) -> None:
    lab = Lab(history, built_in.roster([name])[0])
    lab.move(**MOVES[name])
    file = tmp_path / "tuned.toml"
    file.write_text(lab.toml(), encoding="utf-8")
    status = cli.app(
        ["replay", str(bars), "--settings", str(file), "--scanners", name, "--out", str(tmp_path)],
        standalone_mode=False,
    )
    assert status in (None, 0)
    triggers = sorted(lab.answer.fired.triggers(history), key=lambda t: (t.day, t.k, t.scanner, t.symbol, t.kind))
    assert len(triggers) > 5
    replayed = pq.read_table(tmp_path / "triggers.parquet")
    pd.testing.assert_frame_equal(replayed.to_pandas(), trigger_table(triggers).to_pandas(), check_exact=True)


def test_what_no_settings_file_can_hold_is_refused_with_what_to_do() -> None:
    with pytest.raises(sk.InvalidInput, match=r"made of several. Export them one by one\.$"):
        toml_of(built_in.HodBreak() | built_in.LodBreak())
    with pytest.raises(sk.InvalidInput, match=r"'often' is none of them. Write .*: HodBreak\(name='often', top=5\)\.$"):
        toml_of(built_in.HodBreak(name="often", top=5).fixed())


@contextmanager
def served(command: list[str], said: str, **environment: str) -> Iterator[str]:
    """A page that a command serves; its address is what the first group of `said` finds in what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        found = next(filter(None, (re.search(said, line) for line in lines)), None)
        assert found, "the command ended"
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("way", ["demo --settings", "panel serve dashboards/live.py"])
def test_the_live_page_is_under_the_file(browser: Browser, tmp_path: Path, way: str) -> None:
    file = tmp_path / "tuned.toml"
    file.write_text(toml_of(built_in.HodBreak(min_rvol=1.75, cooldown=7, max_price=None)), encoding="utf-8")
    if way.startswith("demo"):
        command = ["scanner_kit.cli", "demo", "--settings", str(file), "--symbols", "20", "--port", "0"]
        serving = served(command, r"Open (http://localhost:\d+) ")
    else:
        command = ["panel", "serve", str(ROOT / "dashboards" / "live.py"), "--port", "0"]
        serving = served(command, r"(http://localhost:\d+/live)", **{VARIABLE: str(file)})
    with serving as address:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(address, timeout=SECONDS)
        page.locator("[data-tool=settings]").click(timeout=SECONDS)
        page.get_by_label("Find a scanner").fill("hod")
        page.get_by_label("Find a scanner").press("Enter")
        expect(page.get_by_label("Cooldown, min")).to_have_value("7")
        expect(page.get_by_label("Min rvol, ×")).to_have_value("1.75")
        page.close()
