"""Lists and triggers as plain values: what is written is what is read back, to the bit."""

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.bars import Tape
from scanner_kit.bus import plain
from scanner_kit.bus.plain import Announced
from scanner_kit.calendar import Session
from scanner_kit.engine import Engine
from scanner_kit.metrics import Halt
from scanner_kit.ranking import Change, Published
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.triggers import Trigger

NUMBERS = st.floats(allow_nan=True, allow_infinity=False)
SYMBOLS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
FIGURES = st.dictionaries(st.text(min_size=1, max_size=8), NUMBERS, max_size=5)
INSTANTS = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)).map(
    lambda time: time.replace(fold=0)
)
TRIGGERS = st.builds(
    Trigger,
    day=st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)),
    k=st.integers(0, 959),
    time=INSTANTS,
    session=st.sampled_from(Session),
    symbol=SYMBOLS,
    scanner=SYMBOLS,
    kind=st.sampled_from(["fired", "halted"]),
    side=st.sampled_from([-1, 1]),
    rank=st.integers(1, 10_000),
    settings=SYMBOLS,
    metrics=FIGURES,
    intrabar=st.booleans(),
    **dict.fromkeys(("price", "level", "score", "severity", "stop", "distance", "shares"), NUMBERS),
)
LISTS = st.dictionaries(SYMBOLS, FIGURES, max_size=5).flatmap(
    lambda rows: st.integers(0, 1 << 40).map(lambda seq: Published.of("winners", rows, seq))
)


def as_carried(value: Any) -> Any:
    return json.loads(plain.text_of(value))


def same(a: Any, b: Any) -> bool:
    """Equal, and a NaN equals a NaN."""
    return repr(a) == repr(b)


@given(LISTS)
def test_a_list_is_read_back_as_it_was(published: Published) -> None:
    assert same(plain.list_of(published.name, as_carried(plain.plain_list(published))), published)


@given(TRIGGERS, st.integers(0, 1000), st.floats(0, 1e6))
def test_a_trigger_is_read_back_as_it_was(trigger: Trigger, version: int, late: float) -> None:
    announced = Announced(trigger, version, late)
    carried = as_carried(plain.plain_trigger(announced))
    assert same(plain.trigger_of(carried), announced)
    assert carried["identity"] == trigger.identity == plain.trigger_of(carried).trigger.identity


@given(st.sampled_from(["added", "removed", "moved", "updated"]), FIGURES)
def test_a_change_is_read_back_as_it_was(what: Any, figures: dict[str, float]) -> None:
    change = Change("hot", 12, what, "NVDA", 3, tuple(figures.items()))
    assert same(plain.change_of(as_carried(plain.plain_change(change))), change)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_what_is_packed_is_unpacked(value: Any) -> None:
    assert plain.unpacked(plain.packed(value)) == value


def test_what_is_not_known_is_null_and_what_cannot_be_is_not_known() -> None:
    assert plain.plain_figures([("a", math.nan), ("b", math.inf), ("c", 1)]) == {"a": None, "b": None, "c": 1.0}


@pytest.fixture(scope="module")
def engine() -> Engine:
    tape: Tape = simulated_tape(SimulatedMarket(symbols=40, seed=3))
    engine = Engine(tape.universe)
    for bars in tape:
        engine.step(bars)
    return engine


def test_a_day_s_triggers_are_read_back_as_the_engine_made_them(engine: Engine) -> None:
    carried = [as_carried(plain.plain_trigger(Announced(trigger))) for trigger in engine.triggers]
    assert carried
    assert same([plain.trigger_of(one).trigger for one in carried], engine.triggers)


def test_a_scan_s_lists_are_shown_with_the_rows_that_the_scan_shows(engine: Engine) -> None:
    scan = engine.scan
    assert scan is not None
    lists = plain.lists_of(scan)
    assert set(lists) == set(scan.lists)
    assert any(len(published.symbols) for published in lists.values())
    for name, published in lists.items():
        assert same(plain.shown_rows(published), scan.rows(name))
    assert Halt().name in plain.plain_list(lists["high_volume"])["rows"][0][1]
