"""The checks on entry: each kind by itself, their order, and what becomes of bars that came twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.bars import FIELDS, Bars, SettingsChange, VendorHalt
from scanner_kit.entry import KINDS, NO_MINUTE, Admitted, Rows, admit, check_events
from scanner_kit.errors import InvalidInput

OPEN = 28_966_470  # 2025-01-27 14:30 UTC, which is 09:30 in New York
NAN, INF = float("nan"), float("inf")
GOOD: dict[str, Any] = {
    "symbol": "A",
    "minute": OPEN,
    "open": 10.0,
    "high": 11.0,
    "low": 9.0,
    "close": 10.5,
    "volume": 100.0,
    "vwap": NAN,
}


def rows_of(*bars: dict[str, Any]) -> Rows:
    """Rows of which each says only how it differs from a good bar."""
    whole = [GOOD | bar for bar in bars]
    columns = {name: [bar[name] for bar in whole] for name in FIELDS}
    return Rows.of([bar["symbol"] for bar in whole], [bar["minute"] for bar in whole], **columns)


def counted(*bars: dict[str, Any], fills: bool = False) -> dict[str, int]:
    return {kind: n for kind, n in admit(rows_of(*bars), fills)[1].items() if n}


def stands(bars: Admitted) -> list[tuple[Any, ...]]:
    columns = [getattr(bars, name).tolist() for name in FIELDS]
    symbols = [bars.names[code] for code in bars.symbol]
    return list(zip(bars.day.astype(str).tolist(), bars.k.tolist(), symbols, *columns, strict=True))


@pytest.mark.parametrize(
    ("bar", "kinds"),
    [
        ({}, {}),
        ({"symbol": None}, {"no_symbol": 1}),
        ({"symbol": ""}, {"no_symbol": 1}),
        ({"minute": NO_MINUTE}, {"outside_day": 1}),
        ({"minute": OPEN - 331}, {"outside_day": 1}),  # 03:59
        ({"minute": OPEN - 330}, {}),  # 04:00
        ({"minute": OPEN + 629}, {}),  # 19:59
        ({"minute": OPEN + 630}, {"outside_day": 1}),  # 20:00
        ({"minute": OPEN - 1440}, {"outside_day": 1}),  # a Sunday
        ({"open": NAN}, {"bad_price": 1}),
        ({"high": INF}, {"bad_price": 1}),
        ({"low": 0.0}, {"bad_price": 1}),
        ({"close": -1.0}, {"bad_price": 1}),
        ({"volume": -1.0}, {"bad_volume": 1}),
        ({"volume": INF}, {"bad_volume": 1}),
        ({"volume": -INF}, {"bad_volume": 1}),
        ({"volume": NAN}, {"nan_volume": 1}),
        ({"volume": 0.0}, {}),
        ({"vwap": -3.0}, {}),  # no reason to refuse a bar: such a VWAP is not used
        ({"high": 10.2}, {"high_raised": 1}),
        ({"low": 10.2}, {"low_lowered": 1}),
        ({"high": 9.0, "low": 11.0}, {"high_raised": 1, "low_lowered": 1}),
        ({"high": 8.0}, {"high_raised": 1, "low_lowered": 1}),  # the low is below all four prices as they came
        ({"symbol": None, "minute": 0, "open": NAN, "volume": -1.0}, {"no_symbol": 1}),
        ({"minute": 0, "open": NAN, "volume": -1.0}, {"outside_day": 1}),
        ({"open": NAN, "volume": -1.0, "high": 1.0}, {"bad_price": 1}),
        ({"volume": NAN, "high": 10.2}, {"nan_volume": 1, "high_raised": 1}),
    ],
)
def test_a_bar_is_counted_by_the_first_rule_that_refuses_it_or_by_all_that_mend_it(
    bar: dict[str, Any], kinds: dict[str, int]
) -> None:
    assert counted(bar) == kinds


def test_the_report_has_every_kind_in_the_order_of_the_checks() -> None:
    assert tuple(admit(rows_of({}))[1]) == KINDS
    assert KINDS[1:] == (
        *("outside_day", "bad_price", "bad_volume", "nan_volume", "filled"),
        *("high_raised", "low_lowered", "replaced", "repeated"),
    )


def test_a_mended_bar_holds_all_its_prices() -> None:
    bars, _ = admit(rows_of({"open": 12.0, "high": 9.5, "low": 10.0, "close": 9.0}))
    assert (bars.high.tolist(), bars.low.tolist()) == ([12.0], [9.0])


def test_fills_drop_every_bar_of_volume_zero_and_only_where_the_source_says_so() -> None:
    flat: list[dict[str, Any]] = [
        {"volume": 0.0, "high": 10.2},
        {"minute": OPEN + 1, "volume": NAN},
        {"minute": OPEN + 2},
    ]
    assert counted(*flat, fills=True) == {"nan_volume": 1, "filled": 2}
    assert counted(*flat) == {"nan_volume": 1, "high_raised": 1}
    assert len(admit(rows_of(*flat), fills=True)[0]) == 1


@pytest.mark.parametrize(
    ("closes", "volumes", "stays", "kinds"),
    [
        ([10.1, 10.2], [1, 1], 10.2, {"replaced": 1}),
        ([10.1, 10.1], [1, 1], 10.1, {"repeated": 1}),
        ([10.1, 10.2, 10.1], [1, 1, 1], 10.1, {"replaced": 2}),
        ([10.1, 10.1, 10.2, 10.2], [1, 1, 1, 1], 10.2, {"replaced": 1, "repeated": 2}),
        ([10.1, 10.1], [1, 2], 10.1, {"replaced": 1}),
        ([10.1, NAN], [1, 1], 10.1, {"bad_price": 1}),  # what was refused replaces nothing
        ([10.1, 10.2], [1, -1], 10.1, {"bad_volume": 1}),
        ([10.1, 10.1], [0, NAN], 10.1, {"nan_volume": 1, "repeated": 1}),
    ],
)
def test_of_two_bars_of_one_minute_the_later_stands(
    closes: list[float], volumes: list[float], stays: float, kinds: dict[str, int]
) -> None:
    pairs = [{"close": close, "volume": volume} for close, volume in zip(closes, volumes, strict=True)]
    bars, _ = admit(rows_of(*pairs))
    assert (bars.close.tolist(), counted(*pairs)) == ([stays], kinds)


def test_what_is_dropped_as_filled_replaces_nothing() -> None:
    assert counted({"close": 10.1}, {"close": 10.2, "volume": 0.0}, fills=True) == {"filled": 1}


def test_a_bar_that_is_like_the_standing_one_once_mended_is_a_repetition() -> None:
    assert counted({"high": 10.0}, {"high": 10.5}) == {"high_raised": 1, "repeated": 1}


def test_a_vwap_that_differs_makes_another_bar() -> None:
    assert counted({"vwap": 10.0}, {"vwap": NAN}) == {"replaced": 1}
    assert counted({"vwap": 10.0}, {"vwap": 10.0}) == {"repeated": 1}


def test_bars_come_out_by_day_minute_and_symbol_by_code_points() -> None:
    bars, _ = admit(
        rows_of(
            {"symbol": "b", "minute": OPEN + 1440},
            {"symbol": "b"},
            {"symbol": "Z", "minute": OPEN + 1},
            {"symbol": "BRK.B"},
            {"symbol": "X", "open": NAN},
        )
    )
    assert bars.names == ("BRK.B", "Z", "b")
    assert [row[:3] for row in stands(bars)] == [
        ("2025-01-27", 330, "BRK.B"),
        ("2025-01-27", 330, "b"),
        ("2025-01-27", 331, "Z"),
        ("2025-01-28", 330, "b"),
    ]
    assert bars.dates.astype(str).tolist() == ["2025-01-27", "2025-01-28"]
    assert [len(bars.on("2025-01-28")), len(bars.before("2025-01-28")), len(bars.on("2025-01-29"))] == [1, 3, 0]


def test_an_early_close_ends_its_day_at_17_00() -> None:
    five = 28_881_960  # 2024-11-29 22:00 UTC
    assert counted({"minute": five - 1}) == {}
    assert counted({"minute": five}) == {"outside_day": 1}


def test_nothing_given_is_nothing_admitted() -> None:
    bars, counts = admit(rows_of())
    assert (len(bars), bars.names, len(bars.dates), sum(counts.values())) == (0, (), 0, 0)


def test_the_input_is_never_written_to() -> None:
    rows = rows_of({"high": 1.0, "volume": NAN}, {}, {"minute": 0})
    for name in ("symbol", "minute", *FIELDS):
        getattr(rows, name).flags.writeable = False
    bars, _ = admit(rows)
    bars.open[:] = 1.0
    assert rows.open.tolist() == [10.0, 10.0, 10.0]


def test_files_joined_arrive_one_after_the_other() -> None:
    joined = Rows.joined([rows_of({"symbol": "B"}, {"symbol": None}), rows_of({}, {"symbol": "B", "close": 10.6})])
    bars, counts = admit(joined)
    assert [row[2] for row in stands(bars)] == ["A", "B"]
    assert (bars.close.tolist(), counts["replaced"], counts["no_symbol"]) == ([10.5, 10.6], 1, 1)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"^Every column of Rows has one entry a bar; found \{'symbol': 1, .*Cut them alike\.$"
    ):
        Rows.of(["A"], [OPEN], [1.0], [1.0], [1.0], [1.0, 2.0], [1.0])


prices = st.sampled_from([NAN, -1.0, 0.0, 9.0, 10.0, 10.5, INF])
some_bars = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["A", "B", "", None]),
        "minute": st.sampled_from([NO_MINUTE, OPEN - 331, OPEN, OPEN + 1, OPEN + 1440]),
        "open": prices,
        "high": prices,
        "low": prices,
        "close": st.sampled_from([10.0, 10.5]),
        "volume": st.sampled_from([NAN, -1.0, 0.0, 5.0]),
        "vwap": st.sampled_from([NAN, 10.0]),
    }
)


@given(st.lists(some_bars, max_size=30), st.booleans())
def test_bars_given_are_bars_that_stand_and_those_that_are_counted_away(
    bars: list[dict[str, Any]], fills: bool
) -> None:
    admitted, counts = admit(rows_of(*bars), fills)
    away = ("no_symbol", "outside_day", "bad_price", "bad_volume", "filled", "replaced", "repeated")
    assert len(admitted) + sum(counts[kind] for kind in away) == len(bars)
    assert repr(stands(admitted)) == repr(one_by_one(bars, fills))  # as text, NaN equals NaN


def one_by_one(bars: list[dict[str, Any]], fills: bool) -> list[tuple[Any, ...]]:
    """The same by the words of the rule, a bar at a time."""
    standing: dict[tuple[str, int, str], tuple[Any, ...]] = {}
    when = {OPEN: ("2025-01-27", 330), OPEN + 1: ("2025-01-27", 331), OPEN + 1440: ("2025-01-28", 330)}
    for bar in bars:
        four = [bar["open"], bar["high"], bar["low"], bar["close"]]
        volume = 0.0 if bar["volume"] != bar["volume"] else bar["volume"]
        good = bar["symbol"] and bar["minute"] in when and all(0 < p < INF for p in four) and volume >= 0
        if good and not (fills and volume == 0):
            mended = (four[0], max(four), min(four), four[3], volume, bar["vwap"])
            standing[(*when[bar["minute"]], bar["symbol"])] = mended
    return [(*key, *bar) for key, bar in sorted(standing.items())]


EVENTS = "The events of an entry are VendorHalt, SettingsChange, Result, Join and Leave in a tuple; found {}. "
WRITE_EVENTS = "Write, say, events=(VendorHalt('NVDA', halted=True),)."
HALT = "A VendorHalt is of a symbol and True or False; found {}. Write VendorHalt('NVDA', halted=True)."
CHANGE = "A SettingsChange holds scanner → threshold → value as pairs; found {}. Write SettingsChange.of("


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (("x",), EVENTS.format("'x'") + WRITE_EVENTS),
        ("x", EVENTS.format("'x'") + WRITE_EVENTS),
        (None, EVENTS.format("None") + WRITE_EVENTS),
        (VendorHalt("A", True), EVENTS.format("VendorHalt(symbol='A', halted=True)") + WRITE_EVENTS),
        ((VendorHalt("A", True), 3), EVENTS.format("3") + WRITE_EVENTS),
        ((VendorHalt,), EVENTS.format("<class 'scanner_kit.bars.VendorHalt'>") + WRITE_EVENTS),
        ((VendorHalt(7, True),), HALT.format("VendorHalt(symbol=7, halted=True)")),  # type: ignore[arg-type]
        ((VendorHalt("A", "no"),), HALT.format("VendorHalt(symbol='A', halted='no')")),  # type: ignore[arg-type]
        ((SettingsChange({"hot": {"top": 3}}),), CHANGE.format("{'hot': {'top': 3}}")),  # type: ignore[arg-type]
        ((SettingsChange((("hot", "top"),)),), CHANGE.format("(('hot', 'top'),)")),  # type: ignore[arg-type]
        ((SettingsChange((), -1),), "The version of a SettingsChange is a whole number from 0 on; found -1."),
    ],
)
def test_what_is_no_event_is_answered_with_a_sentence(events: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        check_events(Bars.empty(0, 1, events=events))
    assert str(fault.value).startswith(sentence)


def test_events_as_they_should_be_are_let_in() -> None:
    change = SettingsChange.of(hod_break={"min_rvol": 2.0}, hot={"top": 3})
    check_events(Bars.empty(0, 1, events=(VendorHalt("A", True), change, VendorHalt("A", False))))
