"""What stands on the tape is what was put there, to the bit: entries of bars, late bars, events and heads."""

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scanner_kit.bars import FIELDS, Bars, LateBars, SettingsChange, VendorHalt
from scanner_kit.bus.entries import decode, encode
from scanner_kit.bus.heads import PART, Head, Pace, decode_head, encode_head
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.universe import FACTS, WORDS, Universe

DAY = TradingDay.of("2025-06-18")
prices = st.floats(1e-4, 1e7) | st.just(np.nan) | st.floats()
plain = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=5)
names = st.text("abcdefghij_", min_size=1, max_size=8)
changes = st.builds(
    lambda values, version: SettingsChange.of(**values).numbered(version),
    st.dictionaries(names, st.dictionaries(names, plain | st.lists(plain, max_size=3), max_size=3), max_size=3),
    st.integers(0, 10**6),
)
halts = st.builds(VendorHalt, st.text(min_size=1, max_size=6), st.booleans())


@st.composite
def entries(draw: st.DrawFn) -> Bars:
    """Any entry at all, of up to seven symbols, each with a bar, a part of one, or none."""
    n = draw(st.integers(0, 7))
    columns = {name: draw(hnp.arrays(np.float64, n, elements=prices)) for name in FIELDS}
    silent = draw(hnp.arrays(np.bool_, n))
    for name in FIELDS:
        columns[name][silent] = 0.0 if name == "volume" else np.nan
    late = draw(st.none() | late_bars())
    events = tuple(draw(st.lists(halts | changes, max_size=3)))
    instant = draw(st.none() | st.datetimes(timezones=st.just(dt.UTC)))
    return Bars(draw(st.integers(0, 959)), **columns, forming=draw(st.booleans()), late=late, events=events,
                instant=instant)  # fmt: skip


@st.composite
def late_bars(draw: st.DrawFn) -> LateBars:
    n = draw(st.integers(0, 4))
    k, row = (draw(hnp.arrays(np.int64, n, elements=st.integers(-5, 2000))) for _ in range(2))
    return LateBars(k, row, *(draw(hnp.arrays(np.float64, n, elements=prices)) for _ in FIELDS))


def assert_same(found: Any, given: Any) -> None:
    """Equal field by field, arrays to the bit but for which NaN it is, and of the same dtype."""
    assert type(found) is type(given)
    for field in dataclasses.fields(given):
        left, right = getattr(found, field.name), getattr(given, field.name)
        if isinstance(right, np.ndarray):
            assert (left.dtype, left.shape) == (right.dtype, right.shape)
            np.testing.assert_array_equal(left, right)
            if right.dtype == np.float64:
                there = ~np.isnan(right)
                assert left[there].tobytes() == right[there].tobytes()
        elif isinstance(right, LateBars):
            assert_same(left, right)
        else:
            assert left == right


@given(entries())
def test_an_entry_is_read_as_it_was_written(bars: Bars) -> None:
    assert_same(decode(encode(bars), len(bars.close)), bars)


def test_a_silent_minute_is_short_and_one_without_vwap_says_none() -> None:
    silent = encode(Bars.empty(5, 10_000))
    assert len(silent[b"b"]) < 1_000
    assert_same(decode(silent, 10_000), Bars.empty(5, 10_000))
    nothing, price, volume = np.full(3, np.nan), np.full(3, 2.5), np.full(3, 100.0)
    bars = Bars(7, price, price, price, price, volume, nothing)
    assert_same(decode(encode(bars), 3), bars)


def test_nobody_writes_to_what_was_read() -> None:
    bars = decode(encode(Bars.empty(5, 3)), 3)
    for name in FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(bars, name)[0] = 1.0


def universe_of(usual: np.ndarray, **facts: Any) -> Universe:
    n = usual.shape[1]
    symbols = [f"S{i:05}" for i in range(n)]
    return Universe.of(DAY, symbols, {"usual_volume": usual, **facts}, share_of_market=0.03, label="it")


def assert_same_head(found: Head, given: Head) -> None:
    for name in FACTS:
        left, right = (getattr(head.universe.facts, name) for head in (found, given))
        assert (left.dtype, left.shape) == (right.dtype, right.shape), name
        np.testing.assert_array_equal(left, right, name)
    assert dataclasses.replace(found.universe, facts=given.universe.facts) != given.universe  # eq is identity
    for field in ("day", "symbols", "share_of_market", "daily_same_source", "label"):
        assert getattr(found.universe, field) == getattr(given.universe, field)
    assert (found.pace, found.version, found.source) == (given.pace, given.version, given.source)
    assert dict(found.thresholds) == dict(given.thresholds)


@pytest.mark.parametrize(
    "usual",
    [
        np.cumsum(np.arange(960.0 * 3).reshape(960, 3), axis=0) / 2,
        np.cumsum(np.full((960, 3), 2.0**40), axis=0),
        np.cumsum(np.full((960, 3), 0.1), axis=0),
        np.full((960, 3), np.nan),
        np.column_stack([np.arange(960.0), np.full(960, np.nan), np.where(np.arange(960) < 9, np.nan, 5.0)]),
        np.column_stack([np.arange(960.0), np.full(960, np.nan), np.arange(960.0) / 2]),
        np.full((960, 3), np.inf),
        np.zeros((960, 0)),
    ],
    ids=["halves", "large", "fractions", "unknown", "partly unknown", "one unknown", "infinite", "no symbols"],
)
def test_a_head_is_read_as_it_was_written(usual: np.ndarray) -> None:
    n = usual.shape[1]
    words = {name: [None, "Ä", ""][:n] for name in WORDS}
    universe = universe_of(usual, prev_close=[1.5, np.nan, 3.0][:n], **words)
    head = Head(universe, Pace(1.25, 60.0, 320), 7, {"hod_break": {"min_rvol": 2.5, "sectors": ["a"]}}, "files")
    assert_same_head(decode_head(encode_head(head)), head)


def test_a_simulated_day_has_its_head_again() -> None:
    head = Head(simulated_tape(SimulatedMarket(symbols=60)).universe)
    assert_same_head(decode_head(encode_head(head)), head)
    assert sum(len(part[b"b"]) for part in encode_head(head)) < 200_000


@pytest.mark.parametrize("exact", [True, False])
def test_no_part_of_a_head_is_longer_than_four_megabytes(exact: bool) -> None:
    usual = np.cumsum(np.random.default_rng(1).integers(0, 2**30, (960, 2000)), axis=0) + (0.0 if exact else 0.25)
    parts = encode_head(Head(universe_of(usual)))
    assert len(parts) > 1
    assert max(len(part[b"b"]) for part in parts) <= PART
    assert_same_head(decode_head(parts), Head(universe_of(usual)))


def test_a_pace_says_when_a_minute_is_due() -> None:
    pace = Pace(began=100.0, speed=60.0, start_k=2)
    assert [pace.due(k) for k in range(4)] == [100.0, 100.0, 101.0, 102.0]
    live = Head(Universe.of(DAY, ["A"]))
    assert live.due(0) == DAY.time(0).timestamp()
    with pytest.raises(InvalidInput, match="A speed is above 0"):
        Pace(0.0, speed=0.0)
