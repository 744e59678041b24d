"""Our replay of real days against a second opinion: every number, list row and trigger, unknowns included.

The second opinion (`oracle.py`) is written from the definitions alone, in plain loops. Some days are cut to a few
symbols to keep it quick; the largest is whole.
"""

import json
import warnings
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest

from scanner_kit import metrics as m
from scanner_kit.replay import Replayed, Tables, replay
from scanner_kit.sources.tape import TapeSource

IEX = {"share_of_market": 0.03, "daily_same_source": True}
NUMBERS = ("price", "level", "score", "severity", "stop", "distance", "shares")
WORDS = ("day", "k", "time", "session", "symbol", "scanner", "kind", "side", "rank")


@dataclass(frozen=True)
class Case:
    """A day of a file, perhaps of the first symbols alone, and what the source says of itself."""

    file: str
    day: str
    symbols: int = 1000
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.file}-{self.day}"


CASES = (
    Case("us99_ext_2025", "2025-01-27"),
    Case("ext_2020_halfday", "2020-12-24"),
    Case("spy_ext_2024_dst", "2024-03-08"),
    Case("spy_ext_2024_dst", "2024-03-11"),
    Case("smallcap54_iex_2025", "2025-10-30", 24, IEX),
    Case("mega9_ext_novol_2022", "2022-03-31", 5),
    Case("aapl_ext_2025_ibkr", "2025-10-02", options={"fills": True}),
    Case("us118_rth_2026_badvolume", "2026-03-17", 24),
)


@dataclass(frozen=True)
class Both:
    """What the two found."""

    ours: Tables
    told: Replayed
    theirs: oracle.Result

    @property
    def shape(self) -> tuple[int, int]:
        return self.told.steps, len(self.theirs.symbols)


def first_symbols(frame: pd.DataFrame, count: int, names: set[str] | None = None) -> pd.DataFrame:
    kept = names or set(sorted(frame["symbol"].unique())[:count])
    return frame[frame["symbol"].isin(kept)]


@pytest.fixture(scope="module")
def calendar() -> None:
    """The oracle's calendar, asked once without the library's warnings about the pandas that it is used with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle.sessions()


@pytest.fixture(scope="module", params=CASES, ids=str)
def both(request: pytest.FixtureRequest, data: Path, calendar: None) -> Both:
    case: Case = request.param
    bars = first_symbols(pd.read_parquet(data / "bars_1m" / f"{case.file}.parquet"), case.symbols)
    names = set(bars["symbol"].unique())
    daily = first_symbols(pd.read_parquet(data / "bars_1d" / f"{case.file}.parquet"), 0, names)
    reference = first_symbols(pd.read_parquet(data / "metadata.parquet"), 0, names)
    source = TapeSource(bars, daily=daily, reference=reference, **case.options)
    ours = Tables()
    told = replay(source, ours, [case.day], metrics=True)
    day = date.fromisoformat(case.day)
    return Both(ours, told, oracle.replay(bars, day, daily=daily, reference=reference, **case.options))


def same(ours: Any, theirs: Any) -> np.ndarray:
    """Where two numbers agree to 1e-9 of the larger, or both are unknown."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    near = np.abs(a - b) <= 1e-9 * np.maximum(np.abs(a), np.abs(b))
    return np.asarray(np.where(np.isnan(a) | np.isnan(b), np.isnan(a) & np.isnan(b), near))


def test_every_metric_of_every_symbol_and_minute(both: Both) -> None:
    table = both.ours["metrics"]
    assert table["symbol"].to_pylist()[: both.shape[1]] == both.theirs.symbols
    assert table["k"].to_numpy().reshape(both.shape)[:, 0].tolist() == list(range(both.shape[0]))
    assert sorted(both.theirs.metrics) == sorted(metric.name for metric in m.ALL)
    for name, expected in both.theirs.metrics.items():
        found = table[name].to_numpy().reshape(both.shape)
        where = np.argwhere(~same(found, expected))
        assert not len(where), f"{name}: k {where[0][0]}, {both.theirs.symbols[where[0][1]]}"


def test_every_row_of_every_list(both: Both) -> None:
    ours = both.ours["lists"].to_pydict()
    rows = list(zip(*(ours[name] for name in ("k", "list", "rank", "symbol")), strict=True))
    theirs = sorted(both.theirs.lists)
    assert rows == [row[:4] for row in theirs]
    assert same(ours["score"], [row[4] for row in theirs]).all()


def test_every_field_of_every_trigger(both: Both) -> None:
    ours, theirs = both.ours["triggers"].to_pylist(), both.theirs.triggers
    assert [[row[name] for name in WORDS] for row in ours] == [[row[name] for name in WORDS] for row in theirs]
    for name in NUMBERS:
        assert same([row[name] for row in ours], [row[name] for row in theirs]).all(), name


def test_the_metrics_that_a_trigger_carries(both: Both) -> None:
    for row in both.ours["triggers"].to_pylist():
        at = both.theirs.symbols.index(row["symbol"])
        carried = {name: value for name, value in json.loads(row["metrics"]).items() if name in both.theirs.metrics}
        expected = [both.theirs.metrics[name][row["k"], at] for name in carried]
        assert same([np.nan if value is None else value for value in carried.values()], expected).all(), row


def test_what_entry_counted(both: Both) -> None:
    assert both.told.report == {kind: count for kind, count in both.theirs.report.items() if count}
