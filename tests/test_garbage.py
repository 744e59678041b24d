"""Garbage in the bars: it is counted by kind, stops nothing, and changes nothing of what is clean."""

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner_kit import metrics as m
from scanner_kit.bars import FIELDS, Bars, LateBars, Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Engine
from scanner_kit.meter import measure_day
from scanner_kit.replay import Replayed, Tables, replay
from scanner_kit.seal import seal_of_tape
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource

NAN, INF = float("nan"), float("inf")
DAY = "2025-07-03"  # closes early: fewer minutes to step through
PRICES = ("open", "high", "low", "close")
COLUMNS = ("symbol", "ts", *FIELDS)
TINY, HUGE = 1e-300, 1e300

# What makes a copy of a clean bar garbage, and how it is counted. The first that applies counts.
SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    "no symbol": ("no_symbol", {"symbol": None}),
    "an empty symbol": ("no_symbol", {"symbol": "", "close": NAN}),
    "no time": ("outside_day", {"ts": pd.NaT}),
    "before 04:00": ("outside_day", {"ts": pd.Timestamp("2025-07-03 03:59", tz="America/New_York")}),
    "after the early close": ("outside_day", {"ts": pd.Timestamp("2025-07-03 17:00", tz="America/New_York")}),
    "on a holiday": ("outside_day", {"ts": pd.Timestamp("2025-07-04 10:00", tz="America/New_York")}),
    "on a Saturday": ("outside_day", {"ts": pd.Timestamp("2025-07-05 10:00", tz="America/New_York"), "low": 0.0}),
    "in 1970": ("outside_day", {"ts": pd.Timestamp(0, tz="UTC")}),
    "an open of NaN": ("bad_price", {"open": NAN}),
    "an infinite high": ("bad_price", {"high": INF}),
    "a low of minus infinity": ("bad_price", {"low": -INF}),
    "a close of zero": ("bad_price", {"close": 0.0, "volume": -1.0}),
    "a close of minus zero": ("bad_price", {"close": -0.0}),
    "a negative open": ("bad_price", {"open": -TINY}),
    "a negative volume": ("bad_volume", {"volume": -1.0}),
    "an infinite volume": ("bad_volume", {"volume": INF}),
    "a volume of minus infinity": ("bad_volume", {"volume": -INF}),
}
# What stands until a later bar of its symbol and minute replaces it.
EARLIER: dict[str, dict[str, Any]] = {
    "the same": {},
    "another close": {"close": 0.01},
    "the lowest price": dict.fromkeys(PRICES, TINY),
    "the highest price": dict.fromkeys(PRICES, HUGE),
    "upside down": {"high": TINY, "low": HUGE},
    "no volume": {"volume": 0.0},
    "an unknown volume": {"volume": NAN},
    "a mad volume": {"volume": HUGE},
    "an infinite VWAP": {"vwap": INF},
    "a negative VWAP": {"vwap": -1.0},
}


@cache
def market() -> SimulatedMarket:
    return SimulatedMarket(symbols=6, seed=5, day=pd.Timestamp(DAY).date())


@cache
def clean_bars() -> pd.DataFrame:
    return pd.DataFrame(market().frame()[list(COLUMNS)])


def source(bars: pd.DataFrame) -> TapeSource:
    return TapeSource(bars, daily=market().daily(), reference=market().reference(), daily_same_source=True)


@cache
def clean() -> TapeSource:
    return source(clean_bars())


@cache
def clean_tape() -> Tape:
    return clean().tape(DAY)


@cache
def clean_seal() -> str:
    return seal_of_tape(clean_tape())


def with_garbage(*garbage: tuple[int, float, dict[str, Any]], shuffle: int | None = None) -> pd.DataFrame:
    """The clean bars and copies of some, each with its values, put at a place: 0 before all … 1 right before its own.

    With `shuffle` the clean bars come in another order.
    """
    bars = clean_bars()
    order = np.random.default_rng(shuffle).permutation(len(bars)) if shuffle is not None else np.arange(len(bars))
    arrives = np.empty(len(bars))
    arrives[order] = np.arange(len(bars))
    rows = [clean_row(at) | values for at, _, values in garbage]
    places = [place * (arrives[at] + 0.5) - 1.0 for at, place, _ in garbage]
    if not rows:
        return bars.iloc[order]
    joined = pd.concat([bars, like_clean(rows)])
    return joined.iloc[np.argsort([*arrives, *places], kind="stable")]


def clean_row(at: int) -> dict[str, Any]:
    return {name: clean_bars()[name].iloc[at] for name in COLUMNS}


def like_clean(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with columns of the clean bars' types."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True)
    return frame.astype(dict(clean_bars().dtypes))


def counts(bars: pd.DataFrame) -> dict[str, int]:
    """Bar by bar, as the definition of entry reads: how many of each kind there are."""
    found: Counter[str] = Counter()
    stands: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    day = TradingDay.of(DAY)
    for symbol, ts, *values in bars.itertuples(index=False, name=None):
        bar = dict(zip(FIELDS, values, strict=True))
        known = isinstance(symbol, str) and symbol != ""
        inside = ts is not pd.NaT and 0 <= day.minute_of(ts.to_pydatetime()) < day.minutes
        kind = (
            "no_symbol"
            if not known
            else "outside_day"
            if not inside
            else "bad_price"
            if not all(0 < bar[name] < INF for name in PRICES)
            else "bad_volume"
            if bar["volume"] < 0 or bar["volume"] == INF
            else ""
        )
        if kind:
            found[kind] += 1
            continue
        found["nan_volume"] += bar["volume"] != bar["volume"]
        high, low = max(bar[name] for name in PRICES), min(bar[name] for name in PRICES)
        found["high_raised"] += high > bar["high"]
        found["low_lowered"] += low < bar["low"]
        volume = 0.0 if bar["volume"] != bar["volume"] else bar["volume"]
        mended = (bar["open"], high, low, bar["close"], volume, repr(bar["vwap"]))
        if (symbol, ts) in stands:
            found["repeated" if stands[symbol, ts] == mended else "replaced"] += 1
        stands[symbol, ts] = mended
    return {kind: count for kind, count in found.items() if count}


def reported(given: TapeSource) -> dict[str, int]:
    return {kind: count for kind, count in given.report.items() if count}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("place", [0.0, 1.0])
def test_a_spoilt_bar_is_counted_and_leaves_no_trace(spoilt: str, place: float) -> None:
    kind, values = SPOILT[spoilt]
    found = source(with_garbage((300, place, values)))
    assert reported(found) == {kind: 1}
    assert seal_of_tape(found.tape(DAY)) == clean_seal()


def test_a_spoilt_bar_after_the_clean_one_replaces_nothing() -> None:
    rows = [clean_row(300) | values for _, values in SPOILT.values()]
    found = source(pd.concat([clean_bars(), like_clean(rows)]))
    assert reported(found) == dict(Counter(kind for kind, _ in SPOILT.values()))
    assert seal_of_tape(found.tape(DAY)) == clean_seal()


@pytest.mark.parametrize("earlier", EARLIER)
def test_the_later_bar_stands(earlier: str) -> None:
    bars = with_garbage((300, 1.0, EARLIER[earlier]))
    found = source(bars)
    assert reported(found) == counts(bars)
    assert seal_of_tape(found.tape(DAY)) == clean_seal()


places = st.floats(0.0, 1.0)
some_garbage = st.lists(
    st.tuples(
        st.integers(0, 1_500),
        places,
        st.sampled_from([*(values for _, values in SPOILT.values()), *EARLIER.values()]),
    ),
    max_size=40,
)


@settings(max_examples=15)
@given(garbage=some_garbage, shuffle=st.none() | st.integers(0, 2**32))
def test_clean_bars_and_any_garbage_in_any_order_make_the_clean_tape(garbage: Any, shuffle: int | None) -> None:
    bars = with_garbage(*garbage, shuffle=shuffle)
    found = source(bars)
    assert reported(found) == counts(bars)
    assert seal_of_tape(found.tape(DAY)) == clean_seal()


def replayed(given: TapeSource) -> tuple[Replayed, Tables]:
    tables = Tables()
    return replay(given, tables, [DAY], metrics=True), tables


@cache
def clean_replayed() -> tuple[Replayed, Tables]:
    return replayed(clean())


def test_a_replay_of_garbage_has_the_seals_of_the_clean_one() -> None:
    everything = [*(values for _, values in SPOILT.values()), *EARLIER.values()]
    garbage = [(50 * i, i / len(everything), values) for i, values in enumerate(everything)]
    bars = with_garbage(*garbage, shuffle=1)
    dirty, expected = replayed(source(bars))[0], clean_replayed()[0]
    assert dirty.report == counts(bars)
    for table in ("triggers", "lists", "metrics"):
        assert dirty.seal[table] == expected.seal[table], table
    assert dirty.rows == expected.rows
    assert min(expected.rows.values()) > 0


# Foreign symbols and absurd prices are bars like others: they stand, and others are not touched


def absurd_bars(seed: int) -> pd.DataFrame:
    """Symbols of which nothing was known, in every minute of the day, at prices and volumes that no market has."""
    rng, day = np.random.default_rng(seed), TradingDay.of(DAY)
    ts = pd.to_datetime(day.start.astype("datetime64[s]") + np.arange(day.minutes).astype("timedelta64[m]"), utc=True)
    frames = []
    for symbol, prices in (("AAA", [TINY, HUGE]), ("MMM", [1.7e308]), ("ZZZ", [5e-324, 1.0, 1e9])):
        drawn = {name: rng.choice(prices, day.minutes) for name in (*PRICES, "vwap")}
        volume = rng.choice([0.0, 1.0, 1e9, HUGE, 1.7e308], day.minutes)
        frames.append(pd.DataFrame({"symbol": symbol, "ts": ts, **drawn, "volume": volume})[list(COLUMNS)])
    return pd.concat(frames)


@cache
def absurd() -> TapeSource:
    return source(pd.concat([clean_bars(), absurd_bars(2).astype(dict(clean_bars().dtypes))]))


@cache
def absurd_tape() -> Tape:
    return absurd().tape(DAY)


@cache
def absurd_day() -> Snapshot:
    return measure_day(absurd_tape(), m.ALL)


def test_no_metric_is_ever_infinite() -> None:
    whole = absurd_day()
    infinite = {metric.name: int(np.isinf(whole[metric].values).sum()) for metric in m.ALL}
    assert [name for name, count in infinite.items() if count] == []


def test_metrics_of_clean_symbols_are_those_without_the_absurd_ones() -> None:
    dirty, expected = absurd_day(), measure_day(clean_tape(), m.ALL)
    rows = [absurd_tape().universe.row(symbol) for symbol in clean_tape().universe.symbols]
    for metric in m.ALL:
        np.testing.assert_array_equal(dirty[metric].values[:, rows], expected[metric].values, err_msg=metric.name)


def test_absurd_symbols_stop_no_replay_and_push_nobody_off_a_list() -> None:
    found, expected = Tables(), clean_replayed()[1]
    replay(absurd(), found, [DAY])
    known = set(clean_tape().universe.symbols)
    assert on_lists(found, known) == on_lists(expected, known)
    assert fired(found, known) == fired(expected, known)


def on_lists(tables: Tables, known: set[str]) -> list[tuple[Any, ...]]:
    rows = tables["lists"].select(["k", "list", "symbol", "score"]).to_pylist()
    return [tuple(row.values()) for row in rows if row["symbol"] in known]


def fired(tables: Tables, known: set[str]) -> list[tuple[Any, ...]]:
    names = ["k", "symbol", "scanner", "kind", "price", "level", "score", "stop", "shares", "metrics"]
    rows = tables["triggers"].select(names).to_pylist()
    return [tuple(repr(value) for value in row.values()) for row in rows if row["symbol"] in known]


# Late bars


def late_bars(minutes: list[int], rows: list[int], price: float = 1.0) -> LateBars:
    column = np.full(len(minutes), price)
    return LateBars(np.array(minutes), np.array(rows), column, column, column, column, column, column)


@cache
def clean_scans() -> list[Any]:
    engine = Engine(clean_tape().universe)
    return [told(engine.step(clean_tape().bars(k))) for k in range(UNTIL)]


def told(scan: Any) -> Any:
    lists = {name: (ranking.symbols, ranking.scores) for name, ranking in scan.lists.items()}
    return lists, repr(scan.triggers), {metric: column.tobytes() for metric, column in scan.snapshot.values.items()}


UNTIL = 336


def test_late_bars_of_minutes_that_have_not_been_change_nothing() -> None:
    engine = Engine(clean_tape().universe)
    for k in range(UNTIL):
        bars = clean_tape().bars(k)
        garbage = late_bars([k, k + 1, -1, -k - 1, 10**6, -(10**9), 960], [0, 1, 2, 3, 4, 5, 0])
        assert told(engine.step(replace(bars, late=garbage))) == clean_scans()[k]


def test_late_bars_before_a_forming_step_are_held_and_then_judged_alike() -> None:
    engine, k = Engine(clean_tape().universe), 60
    for before in range(k):
        engine.step(clean_tape().bars(before))
    forming = replace(clean_tape().bars(k), forming=True, instant=clean_tape().universe.day.time(k))
    engine.step(replace(forming, late=late_bars([k, 10**6, -5], [0, 1, 2])))
    assert told(engine.step(clean_tape().bars(k))) == clean_scans()[k]


def test_bars_that_come_late_among_garbage_end_where_the_clean_day_does() -> None:
    tape, row, k = clean_tape(), 0, 331
    engine = Engine(tape.universe)
    missing = [at for at in range(k) if np.isfinite(tape.close[at, row])][-5:]
    for at in range(k):
        engine.step(without(tape.bars(at), row) if at in missing else tape.bars(at))
    found = engine.step(replace(tape.bars(k), late=joined(tape, missing, row)))
    assert told(found)[2] == clean_scans()[k][2]


def without(bars: Bars, row: int) -> Bars:
    """A minute in which one symbol's bar did not come."""
    silent: dict[str, Any] = {name: np.array(getattr(bars, name)) for name in FIELDS}
    for name, column in silent.items():
        column[row] = 0.0 if name == "volume" else NAN
    return replace(bars, **silent)


def joined(tape: Tape, minutes: list[int], row: int) -> LateBars:
    """A symbol's bars of some minutes, with others between them whose minutes are none."""
    at = np.array([-1, *minutes, 10**6, 960])
    inside = np.where((at >= 0) & (at < len(tape)), at, 0)
    columns = {name: np.array(getattr(tape, name)[inside, row]) for name in FIELDS}
    return LateBars(at, np.full(len(at), row), **columns)
