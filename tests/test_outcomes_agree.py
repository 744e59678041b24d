"""The outcomes of `replay --outcomes` against a second opinion: every row and column, the random entries included.

The second opinion (`oracle_outcomes.py`, `oracle_draws.py`) is written from the definitions alone, in plain loops; it
is checked here against hand-made days and against numpy's own draws.
"""

import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import oracle_outcomes as oo
import pandas as pd
import pyarrow.parquet as pq
import pytest
from oracle_draws import Draws
from oracle_metrics import OPEN, Bar, Minutes
from typer.testing import CliRunner

from scanner_kit.cli import app

LOOSE = ("hod_break", "lod_break", "pmh_break", "vwap_reclaim", "vwap_loss", "unusual_volume", "momentum")
GATES = ("min_rvol=none", "min_dollar_volume=0", "sessions=PRE,REGULAR,POST")
ANY_TIME = ("--set", *(f"{name}.{gate}" for name in LOOSE for gate in GATES))
IEX = ("--share-of-market", "0.03", "--daily-same-source")
ENDED = frozenset({"win", "loss", "open", "long", "short"})
KEYS = ["day", "k", "scanner", "symbol", "kind", "horizon"]
WORDS = ["tradable", "result", "beyond_stop"]
NUMBERS = ["entry_k", "entry", "r", "mfe_pct", "mae_pct", "mfe_r", "mae_r", "result_r"]
CHANCE = ["chance_win_rate", "chance_mean_r"]


@dataclass(frozen=True)
class Case:
    """A day of a file, further arguments of the command, and what must be among its outcomes."""

    file: str
    day: str
    shows: frozenset[str]
    options: tuple[str, ...] = ()
    seed: int = 0
    cost_bps: float = 5.0

    def __str__(self) -> str:
        return f"{self.file}-{self.day}"


CASES = (
    Case("us99_ext_2025", "2025-01-27", ENDED | {"no R"}),
    Case("us99_ext_2025", "2025-02-04", ENDED),
    Case("ext_2020_halfday", "2020-12-24", ENDED | {"no R", "not tradable", "PRE"}, ANY_TIME),
    Case("smallcap54_iex_2025", "2025-10-30", ENDED | {"no R", "not tradable"}, IEX),
    Case("smallcap54_iex_2025", "2025-11-12", ENDED | {"not tradable", "beyond stop", "PRE"}, (*IEX, *ANY_TIME)),
    Case("mega9_ext_novol_2022", "2022-03-31", ENDED | {"no R", "PRE", "POST"}, ANY_TIME, seed=7, cost_bps=12.5),
    Case("aapl_ext_2025_ibkr", "2025-10-02", ENDED | {"PRE"}, ("--fills", *ANY_TIME)),
)


@dataclass(frozen=True)
class Both:
    """What the two found, row by row."""

    case: Case
    triggers: pd.DataFrame
    ours: pd.DataFrame
    theirs: pd.DataFrame


@pytest.fixture(scope="module")
def calendar() -> None:
    """The oracle's calendar, asked once without the library's warnings about the pandas that it is used with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle.sessions()


@pytest.fixture(scope="module", params=CASES, ids=str)
def both(request: pytest.FixtureRequest, data: Path, calendar: None, tmp_path_factory: pytest.TempPathFactory) -> Both:
    case: Case = request.param
    out = tmp_path_factory.mktemp("out")
    bars = data / "bars_1m" / f"{case.file}.parquet"
    files = [bars, "--daily", data / "bars_1d" / bars.name, "--reference", data / "metadata.parquet"]
    asked = ["--day", case.day, "--outcomes", *chance_and_costs(case), "--out", out, *case.options]
    told = CliRunner().invoke(app, list(map(str, ["replay", *files, *asked])), prog_name="scanner-kit")
    assert told.exit_code == 0, told.output
    triggers = pd.read_parquet(out / "triggers.parquet")
    markets = {date.fromisoformat(case.day): market_of(bars, case)}
    rows = oo.outcomes(triggers, markets, case.seed, case.cost_bps)
    return Both(case, triggers, pd.read_parquet(out / "outcomes.parquet"), pd.DataFrame(rows))


def chance_and_costs(case: Case) -> list[str]:
    """The arguments that say them, where they are not what they are by default."""
    seed = ["--seed", str(case.seed)] if case.seed != Case.seed else []
    return seed + (["--cost-bps", str(case.cost_bps)] if case.cost_bps != Case.cost_bps else [])


def market_of(file: Path, case: Case) -> oo.Market:
    """The bars of the day as they stand in the file, admitted by the oracle, and their halts."""
    clock = oracle.day_clock(date.fromisoformat(case.day))
    begin = pd.Timestamp(case.day, tz="UTC")
    within = [("ts", ">=", begin), ("ts", "<", begin + pd.Timedelta(days=2))]
    bars = pq.read_table(file, filters=within).to_pandas()
    return oo.market(clock, oracle.day_bars(bars, clock, "--fills" in case.options))


def same(ours: Any, theirs: Any) -> np.ndarray:
    """Where two numbers agree to 1e-9 of the larger, or both are unknown."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    near = np.abs(a - b) <= 1e-9 * np.maximum(np.abs(a), np.abs(b))
    return np.asarray(np.where(np.isnan(a) | np.isnan(b), np.isnan(a) & np.isnan(b), near))


def words(values: pd.Series) -> list[Any]:
    """The values, unknown ones as None."""
    return [None if pd.isna(value) else value for value in values]


def test_a_row_for_every_trigger_and_horizon_in_order(both: Both) -> None:
    assert len(both.ours) == len(oo.HORIZONS) * len(both.triggers)
    assert both.ours[KEYS].to_dict("records") == both.theirs[KEYS].to_dict("records")


@pytest.mark.parametrize("name", WORDS)
def test_what_became_of_every_trigger(both: Both, name: str) -> None:
    ours, theirs = words(both.ours[name]), words(both.theirs[name])
    wrong = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    assert not wrong, first_difference(both, name, wrong)


@pytest.mark.parametrize("name", NUMBERS + CHANCE)
def test_every_number_of_every_outcome(both: Both, name: str) -> None:
    wrong = np.flatnonzero(~same(both.ours[name], both.theirs[name])).tolist()
    assert not wrong, first_difference(both, name, wrong)


def first_difference(both: Both, name: str, wrong: Sequence[int]) -> str:
    row = both.theirs.iloc[wrong[0]]
    ours, theirs = both.ours[name].iloc[wrong[0]], row[name]
    return f"{name}: {len(wrong)} of {len(both.ours)} differ; first {row[KEYS].tolist()}: {ours} and {theirs}"


def test_the_cases_show_what_they_are_there_for(both: Both) -> None:
    shown = {*both.theirs["result"].dropna(), *both.triggers["session"]}
    shown |= {"not tradable"} if not both.theirs["tradable"].all() else set()
    shown |= {"beyond stop"} if both.theirs["beyond_stop"].any() else set()
    shown |= {"long" if side > 0 else "short" for side in both.triggers["side"]}
    assert both.case.shows <= shown


# The second opinion itself


def test_draws_are_those_of_numpy() -> None:
    chosen = random.Random(0)
    for _ in range(2_000):
        symbol = chosen.choice(["A", "F", "BRK.B", "NVDA", "GOOGL", "Ö"])
        key = [chosen.choice([0, 1, chosen.randrange(2**70)]), 20250127, chosen.randrange(960), *symbol.encode()]
        n = chosen.choice([1, 2, 3, 16, 29, 30, chosen.randrange(1, 2**32)])
        expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).integers(0, n, 20)
        assert Draws(key).integers(n, 20) == expected.tolist(), (key, n)


@pytest.mark.parametrize("days", [5, 20, 251])
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_resamples_are_those_of_numpy(days: int, seed: int) -> None:
    expected = np.random.Generator(np.random.PCG64(seed)).integers(0, days, (1_000, days))
    assert Draws([seed]).integers(days, 1_000 * days) == expected.ravel().tolist()


QUIET = (10.0, 10.1, 9.9, 10.0)
FRAMES = {
    "target first": [(10.0, 10.2, 9.9, 10.1), (10.1, 11.0, 10.0, 10.9), (10.9, 10.9, 8.0, 8.5)],
    "stop first": [(10.0, 10.2, 9.9, 10.1), (10.1, 10.1, 9.0, 9.2), (9.2, 12.0, 9.2, 12.0)],
    "gapped through": [(10.0, 10.2, 9.9, 10.1), (8.5, 8.6, 8.4, 8.5)],
    "both in one bar": [(10.0, 11.5, 9.0, 11.0)],
    "both in one bar, opening at the target": [(10.0, 10.1, 9.9, 10.0), (11.0, 11.0, 9.0, 9.5)],
    "neither": [(10.0, 10.4, 9.6, 10.2), (10.2, 10.3, 9.7, 10.3)],
    "at the stop": [(9.0, 9.5, 8.0, 9.4)],
    "beyond the stop": [(8.5, 12.0, 8.0, 11.0)],
}
ENDS = {
    "target first": ("win", 1.0, 10.0, 1.0, -2.0),
    "stop first": ("loss", -1.0, 10.0, 2.0, -1.0),
    "gapped through": ("loss", -1.5, 10.0, 0.2, -1.6),
    "both in one bar": ("loss", -1.0, 10.0, 1.5, -1.0),
    "both in one bar, opening at the target": ("loss", -1.0, 10.0, 1.0, -1.0),
    "neither": ("open", 0.3, 10.0, 0.4, -0.4),
    "at the stop": ("loss", -1.0, 9.0, 0.5, -1.0),
    "beyond the stop": ("loss", -1.0, 8.5, 3.5, -0.5),
}


def day_of(bars: dict[int, tuple[float, float, float, float]]) -> oo.Market:
    """A day of A with these bars, and of B, which always trades."""
    clock = oracle.day_clock(date(2025, 1, 27))
    own: Minutes = [Bar(*bars[k], 100.0) if k in bars else None for k in range(clock.minutes)]
    return oo.market(clock, {"A": own, "B": [Bar(*QUIET, 100.0)] * clock.minutes})


def trigger_at(k: int, **other: Any) -> pd.DataFrame:
    """A trigger of A: long at 10, with its stop at 9."""
    row = {"symbol": "A", "scanner": "hod_break", "kind": "fired", "side": 1, "stop": 9.0, "distance": 1.0}
    return pd.DataFrame([{"day": date(2025, 1, 27), "k": k} | row | other])


def judged(bars: dict[int, tuple[float, float, float, float]], k: int, **other: Any) -> dict[str, oo.Row]:
    """The outcomes of a trigger of A, by horizon."""
    there = day_of(bars)
    return {row["horizon"]: row for row in oo.outcomes(trigger_at(k, **other), {there.clock.day: there})}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("name", FRAMES)
def test_what_a_trade_comes_to(calendar: None, name: str, side: int) -> None:
    frames = FRAMES[name] if side > 0 else [(20 - o, 20 - low, 20 - high, 20 - c) for o, high, low, c in FRAMES[name]]
    result, gross, entry, best, worst = ENDS[name]
    entry = entry if side > 0 else 20 - entry
    row = judged({400: QUIET} | dict(enumerate(frames, 401)), 400, side=side, stop=10.0 - side)["5m"]
    assert (row["tradable"], row["entry_k"], row["result"]) == (True, 401, result)
    assert row["beyond_stop"] is (name in ("at the stop", "beyond the stop"))
    numbers = [row[name] for name in ("entry", "r", "result_r", "mfe_r", "mae_r", "mfe_pct", "mae_pct")]
    expected = [entry, 1.0, gross - 0.0005 * entry, best, worst, 100 * best / entry, 100 * worst / entry]
    assert numbers == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("k", "bars", "entry_k"),
    [
        (400, [405], 405),
        (400, [406], None),
        (400, [], None),
        (OPEN - 1, [OPEN], None),
        (OPEN - 3, [OPEN - 1], OPEN - 1),
        (719, [720], None),
        (959, [], None),
    ],
)
def test_an_entry_is_the_next_bar_of_the_session_within_five_minutes(
    calendar: None, k: int, bars: list[int], entry_k: int | None
) -> None:
    rows = judged(dict.fromkeys([k, *bars], QUIET), k)
    assert {row["tradable"] for row in rows.values()} == {entry_k is not None}
    assert same([row["entry_k"] for row in rows.values()], [math.nan if entry_k is None else entry_k] * 5).all()
    assert {row["result"] for row in rows.values()} == {"open" if entry_k is not None else None}
    assert {row["r"] for row in rows.values()} == {1.0}


def test_a_halt_between_trigger_and_entry_forbids_it(calendar: None) -> None:
    traded = dict.fromkeys([*range(OPEN, 401), *range(404, 420)], QUIET)
    assert day_of(traded).halt["A"][400:406] == [0, 0, 0, 1, 2, 0]
    assert not judged(traded, 400)["5m"]["tradable"]
    assert judged(traded, 403, kind="halted", stop=math.nan, distance=math.nan)["5m"]["result"] == "no R"
    assert judged(traded | {403: QUIET}, 400)["5m"]["entry_k"] == 403


def test_horizons_count_from_the_entry_and_end_with_the_session(calendar: None) -> None:
    bars = {k: (10.0, 10.0 + k / 10_000, 9.9, 10.0) for k in range(640, 960)}
    rows = judged({640: QUIET} | {k: bar for k, bar in bars.items() if k >= 643}, 640)
    highest = {name: 643 + minutes - 1 for name, minutes in (("5m", 5), ("15m", 15), ("30m", 30), ("60m", 60))}
    highest["end"] = 719
    assert {name: row["mfe_r"] for name, row in rows.items()} == pytest.approx(
        {name: last / 10_000 for name, last in highest.items()}
    )


def test_chance_enters_at_bars_of_the_next_thirty_minutes(calendar: None) -> None:
    opens = {401: 10.0, 410: 20.0, 430: 40.0, 431: 1_000.0}
    there = day_of({400: QUIET} | {k: (price, price, price, price) for k, price in opens.items()})
    drawn = np.random.Generator(np.random.PCG64(np.random.SeedSequence([0, 20250127, 400, 65]))).integers(0, 3, 20)
    row = {str(name): value for name, value in trigger_at(400).to_dict("records")[0].items()}
    trades = oo.chance_trades(row, 10.0, there.bars["A"], there, 0)
    assert [trade.k for trade in trades] == [(401, 410, 430)[draw] for draw in drawn]
    assert {(trade.entry, trade.stop, trade.r) for trade in trades} == {(10, 9, 1), (20, 18, 2), (40, 36, 4)}
    rows = judged({400: QUIET} | {k: (price, price, price, price) for k, price in opens.items()}, 400)
    wins = {"5m": {2}, "15m": {0, 2}, "30m": {0, 1, 2}, "60m": {0, 1, 2}, "end": {0, 1, 2}}
    shares = {name: sum(draw in won for draw in drawn) / 20 for name, won in wins.items()}
    assert {name: row["chance_win_rate"] for name, row in rows.items()} == shares
    assert {name: row["chance_mean_r"] for name, row in rows.items()} == pytest.approx(
        {name: share - 0.005 for name, share in shares.items()}
    )


def test_an_interval_is_of_pooled_days_drawn_again() -> None:
    days = [[], [0.51, 0.97], [], [0.7], [-1.0, 0.83, -0.31], [0.1, 0.23, 0.34, -0.47], [0.05, 0.61], [0.43]]
    figures: dict[str, list[float]] = {"win_rate": [], "mean_r": [], "profit_factor": []}
    for drawn in np.random.Generator(np.random.PCG64(3)).integers(0, 8, (1_000, 8)):
        pool = np.concatenate([days[day] for day in drawn])
        gains, losses = pool[pool > 0], pool[pool < 0]
        if len(pool):
            figures["win_rate"].append(len(gains) / len(pool))
            figures["mean_r"].append(pool.sum() / len(pool))
        if len(losses):
            figures["profit_factor"].append(gains.sum() / -losses.sum())
    assert 500 < len(figures["profit_factor"]) < len(figures["mean_r"]) <= 1_000
    given = [[oo.Outcome("win" if r > 0 else "loss", r) for r in own] for own in days]
    given[0].append(oo.Outcome("no R", math.nan))
    for name, known in figures.items():
        expected = np.quantile(known, [0.05, 0.95]).tolist()
        assert list(oo.interval(given, getattr(oo, name), seed=3)) == pytest.approx(expected, rel=1e-12)


def test_an_interval_needs_five_days() -> None:
    one = [oo.Outcome("win", 1.0)]
    assert all(map(math.isnan, oo.interval([one] * 4, oo.mean_r)))
    assert oo.interval([one] * 5, oo.mean_r) == (1.0, 1.0)
    assert all(map(math.isnan, oo.interval([one] * 5, oo.profit_factor)))
    assert all(map(math.isnan, oo.interval([[]] * 5, oo.win_rate)))
