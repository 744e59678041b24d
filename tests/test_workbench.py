"""The tuning page's history and scanners: simulated or from files, measured once for all sessions of a process."""

import itertools
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import panel as pn
import pytest

import scanner_kit as sk
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.workbench import HISTORY, workbench

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["--symbols", "12", "--simulated-days", "2"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from test to test, or left behind."""
    monkeypatch.setenv("SCANNER_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SCANNER_KIT_SETTINGS", raising=False)
    pn.state.cache.pop(HISTORY, None)


def test_sessions_share_one_history_and_every_scanner_can_be_tuned() -> None:
    history, scanners = workbench(SMALL)
    again, _ = workbench(SMALL)
    assert history is again
    assert (len(history), history.symbols) == (2, 12)
    assert scanners[0].name == "hod_break"
    assert {one.name for one in scanners} == {one.name for one in sk.scanners.roster() if one.triggers}


def test_other_arguments_are_another_history() -> None:
    assert workbench(SMALL)[0] is not workbench([*SMALL[:3], "1"])[0]


def test_bars_of_files_and_some_days_of_them(tmp_path: Path) -> None:
    tapes = list(itertools.islice(sk.simulated_days(sk.SimulatedMarket(symbols=6)), 3))
    path = tmp_path / "bars.parquet"
    pd.concat([_frame(tape) for tape in tapes]).to_parquet(path, index=False)
    first, last = (str(tape.universe.day.date) for tape in (tapes[1], tapes[2]))
    history, scanners = workbench([str(path), "--days", f"{first}:{last}", "--scanners", "vwap_loss"])
    assert [str(date) for date in history.dates] == [first, last]
    assert [one.name for one in scanners] == ["vwap_loss"]


def test_settings_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[scanners.hod_break]\nmin_rvol = 2.25\n")
    _, scanners = workbench([*SMALL, "--settings", str(path)])
    assert scanners[0].settings()["min_rvol"] == 2.25


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(InvalidInput, match="None of gappers_up ever triggers"):
        workbench([*SMALL, "--scanners", "gappers_up"])
    with pytest.raises(UnknownName, match="hod_brake"):
        workbench([*SMALL, "--scanners", "hod_brake"])


def test_the_dashboard_composes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tuning.py", *SMALL])
    names = runpy.run_path(str(ROOT / "dashboards" / "tuning.py"))
    assert (len(names["history"]), names["scanners"][0].name) == (2, "hod_break")


def _frame(tape: sk.Tape) -> pd.DataFrame:
    """The bars of a tape as a file of bars has them."""
    k, row = np.nonzero(np.isfinite(tape.close))
    times = tape.universe.day.start.astype("datetime64[s]") + 60 * k
    columns = {name: getattr(tape, name)[k, row] for name in ("open", "high", "low", "close", "volume")}
    symbols = [tape.universe.symbols[i] for i in row]
    return pd.DataFrame({"symbol": symbols, "ts": pd.to_datetime(times, utc=True), **columns})
