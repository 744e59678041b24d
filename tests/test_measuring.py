"""`sk.measure`: what can be measured, which days, and what is kept where."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scanner_kit as sk
from scanner_kit import metrics as m
from scanner_kit.errors import InvalidInput
from scanner_kit.settings import cache_folder
from scanner_kit.tuning.judging import judge

DATES = ("2025-01-06", "2025-01-07", "2025-01-08")


def minute_bars() -> pd.DataFrame:
    """Three days of two symbols that rise and trade."""
    parts = []
    for date in DATES:
        ts = pd.date_range(f"{date} 14:30", periods=60, freq="min", tz="UTC")
        for i, symbol in enumerate("AB"):
            close = 10.0 + i + np.arange(60) / 10
            bars = {"symbol": symbol, "ts": ts, "open": close - 0.05, "high": close + 0.05, "low": close - 0.1}
            parts.append(pd.DataFrame({**bars, "close": close, "volume": 100_000.0}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bars.parquet"
    minute_bars().to_parquet(path)
    return path


ANY: dict[str, Any] = {"min_rvol": None, "min_dollar_volume": 1000}


def fired(history: sk.History) -> list[str]:
    return [f"{t.day} {t.k} {t.symbol}" for t in judge(history, sk.scanners.HodBreak(**ANY)).triggers(history)]


def test_files_frames_sources_and_tapes_give_the_same(file: Path) -> None:
    source = sk.TapeSource(file)
    given: list[Any] = [file, str(file), [file], minute_bars(), source, [source.tape(date) for date in DATES]]
    told = [fired(sk.measure(bars, cache=False)) for bars in given]
    assert all(one == told[0] != [] for one in told)
    assert fired(sk.measure(source.tape(DATES[1]), cache=False)) == [one for one in told[0] if one.startswith(DATES[1])]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (None, DATES),
        (2, DATES[1:]),
        (99, DATES),
        (DATES[0], DATES[:1]),
        ("2025-01-07:", DATES[1:]),
        (":2025-01-07", DATES[:2]),
        ("2025-01-01:2025-01-07", DATES[:2]),
        ([DATES[2], dt.date(2025, 1, 6)], (DATES[0], DATES[2])),
        (sk.TradingDay.of(DATES[1]), DATES[1:2]),
    ],
)
def test_days_are_dates_a_span_or_a_number(file: Path, days: Any, expected: tuple[str, ...]) -> None:
    assert tuple(map(str, sk.measure(file, days, cache=False).dates)) == expected


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ("2025-01-10", "found 2025-01-10. There are 3: 2025-01-06 to 2025-01-08"),
        ("2026-01-01:", "There are 3"),
        (0, "A number of days is 1 or more; found 0"),
        ("2025-01-11", "no trading day"),
        (2.5, "A day is a date like 2025-01-27; found 2.5"),
    ],
)
def test_days_that_there_are_not_are_named(file: Path, days: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        sk.measure(file, days, cache=False)


def test_a_simulated_market_has_as_many_days_as_are_asked_for() -> None:
    market = sk.SimulatedMarket(symbols=8, day=dt.date(2025, 7, 2))
    history = sk.measure(market, 3, scanners=[], cache=False)
    assert list(map(str, history.dates)) == ["2025-07-02", "2025-07-03", "2025-07-07"]
    assert [day.day.minutes for day in history.days] == [960, 780, 960]
    assert all(day.universe.label == "simulated" for day in history.days)
    with pytest.raises(InvalidInput, match="are a number or dates"):
        sk.measure(market, "2025-07-02:", cache=False)


def test_files_that_are_known_are_not_read_again(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    first = sk.measure(file, cache=cache)
    monkeypatch.setattr(sk.TapeSource, "tape", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr("scanner_kit.sources.tape.minute_rows", lambda *_: pytest.fail("read again"))
    again = sk.measure(file, cache=cache)
    assert again.dates == first.dates
    assert fired(again) == fired(first)


def test_a_file_that_changed_is_read_again(file: Path, tmp_path: Path) -> None:
    before = fired(sk.measure(file, cache=tmp_path / "cache"))
    changed = minute_bars()
    changed["close"] = changed["high"] = changed["open"] = changed["low"] = 10.0
    changed.to_parquet(file)
    after = fired(sk.measure(file, cache=tmp_path / "cache"))
    assert before
    assert not after


def test_the_cache_is_where_the_environment_says(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANNER_KIT_CACHE", str(tmp_path / "mine"))
    sk.measure(file, scanners=[])
    assert list((tmp_path / "mine" / "history" / "days").iterdir())
    monkeypatch.delenv("SCANNER_KIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "scanner_kit"


def test_what_is_measured_are_the_metrics_of_the_scanners_and_those_named(file: Path) -> None:
    history = sk.measure(file, scanners=[sk.scanners.PmhBreak()], metrics=[m.Rsi()], cache=False)
    assert {m.PremarketHigh(), m.Rsi(), m.Last(), m.Halt()} <= set(history.days[0].values)
    assert m.Vwap() not in history.days[0].values
    judge(history, sk.scanners.VwapReclaim())
    assert m.Vwap() in history.days[0].values


def test_one_scanner_may_stand_for_itself_and_what_is_none_is_said(file: Path) -> None:
    history = sk.measure(file, scanners=sk.scanners.PmhBreak(), cache=False)
    assert m.PremarketHigh() in history.days[0].values
    for wrong in (["hod_break"], [sk.scanners.HodBreak]):
        with pytest.raises(InvalidInput, match="A roster holds scanners; found"):
            sk.measure(file, scanners=wrong, cache=False)  # type: ignore[arg-type]


def test_what_stands_beside_files_is_refused_elsewhere(file: Path) -> None:
    for bars in (sk.SimulatedMarket(symbols=5), sk.TapeSource(file), sk.TapeSource(file).tape(DATES[0])):
        with pytest.raises(InvalidInput, match="daily stand beside files or frames; found"):
            sk.measure(bars, cache=False, daily=file)


def test_a_cache_that_is_no_folder_is_said(file: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be written.*Name another with cache=…"):
        sk.measure(file, cache=file)


def test_progress_is_told(file: Path) -> None:
    told: list[tuple[str, int, int]] = []
    sk.measure(sk.SimulatedMarket(symbols=5), 2, cache=False, progress=lambda *one: told.append(one))
    assert ("read", 2, 2) in told
    assert ("measured", 2, 2) in told
    told.clear()
    sk.measure(sk.TapeSource(file).tape(DATES[0]), cache=False, progress=lambda *one: told.append(one))
    assert told == [("measured", 1, 1)]
