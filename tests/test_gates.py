"""The gates: every one as a table of a symbol that is on its limit, beyond it, within it, and unknown."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from notation import OFF, minute, scanned, tape_of

from scanner_kit import metrics as m
from scanner_kit.bars import Tape
from scanner_kit.calendar import Session
from scanner_kit.gates import Gates
from scanner_kit.reason import Reason
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import Category, HodBreak, Winners
from scanner_kit.snapshot import Snapshot

OPEN = OFF | {"min_change_pct": None}
AT = "04:01"


class Everyone(Category):
    """Everyone who passes the gates, by dollars."""

    dollars = m.DayDollarVolume()

    def rank(self, now: Snapshot) -> Any:
        return now[self.dollars]


# ON has exactly the limit, UNDER is just below it, OVER just above; NONE is unknown. prev_close 64, one bar at 09:31.
def day(values: dict[str, str], fact: str = "") -> Tape:
    """ON, OVER and UNDER with bars as given, or with a fact; NONE without."""
    bars = "\n".join(f"{AT} {symbol} {bar}" for symbol, bar in values.items())
    plain = dict.fromkeys(("ON", "UNDER", "OVER"), f"{AT} X =10 x100")
    if not fact:
        return tape_of(bars, {s: {"prev_close": 64, "usual": 1000} for s in values})
    known = {symbol: {fact: float(value)} for symbol, value in values.items()}
    return tape_of("\n".join(line.replace("X", s) for s, line in {**plain, "NONE": plain["ON"]}.items()), known)


PRICES = {"ON": "=10 x100", "UNDER": "=9.99 x100", "OVER": "=10.01 x100"}
CHANGES = {"ON": "=80 x100", "UNDER": "=79 x100", "OVER": "=81 x100"}  # 25 %
SHARES = {"ON": "=10 x5000", "UNDER": "=10 x4999", "OVER": "=10 x5001"}  # rvol_tod 5
FACT = {"ON": "1000", "UNDER": "999", "OVER": "1001"}
LEAST, MOST = {"ON", "OVER"}, {"ON", "UNDER"}


@pytest.mark.parametrize(
    ("gate", "limit", "tape", "passes"),
    [
        ("min_price", 10, day(PRICES), LEAST),
        ("max_price", 10, day(PRICES), MOST),
        ("min_change_pct", 25, day(CHANGES), LEAST),
        ("max_change_pct", 25, day(CHANGES), MOST),
        ("min_volume", 5000, day(SHARES), LEAST),
        ("min_volume_1m", 5000, day(SHARES), LEAST),
        ("min_dollar_volume", 50_000, day(SHARES), LEAST),
        ("min_dollar_volume", (50_000, 1e9), day(SHARES), LEAST),
        ("min_rvol", 5, day(SHARES), LEAST),
        ("max_rvol", 5, day(SHARES), MOST),
        ("min_market_cap", 1000, day(FACT, "market_cap"), LEAST),
        ("max_market_cap", 1000, day(FACT, "market_cap"), MOST),
        ("min_avg_volume", 1000, day(FACT, "avg_volume_30d"), LEAST),
        ("max_float", 1000, day(FACT, "float_shares"), MOST),
        ("symbols", ["ON", "OVER"], day(PRICES), LEAST),
        ("exclude", ["UNDER"], day(PRICES), LEAST),
        ("max_spread_pct", 100, day(PRICES), set()),
    ],
)
def test_a_limit_includes_its_value_and_the_unknown_passes_none(
    gate: str, limit: Any, tape: Tape, passes: set[str]
) -> None:
    _, scans = scanned(tape, [Everyone(**{**OPEN, gate: limit})], minute(AT) + 1)
    assert set(scans[-1].lists["everyone"].symbols) == passes


@pytest.mark.parametrize("gate", ["sectors", "industries", "exchanges", "kinds"])
def test_a_word_must_be_among_those_that_are_allowed(gate: str) -> None:
    fact = {"sectors": "sector", "industries": "industry", "exchanges": "exchange", "kinds": "kind"}[gate]
    bars = "\n".join(f"{AT} {symbol} =10 x100" for symbol in "ABC")
    tape = tape_of(bars, {"A": {fact: "one"}, "B": {fact: "two"}})
    for allowed, passes in ((["one"], ("A",)), (["one", "two"], ("A", "B")), ([], ())):
        _, scans = scanned(tape, [Everyone(**{**OPEN, gate: allowed})], minute(AT) + 1)
        assert scans[-1].lists["everyone"].symbols == passes
    why = _reasons(tape, Everyone(**{**OPEN, gate: ["one"]}), "C")[-1]
    assert (why.what, why.op, why.threshold, why.holds, why.unknown) == (
        fact,
        "in",
        ["one"],
        None,
        f"{fact} is not known",
    )


def test_a_limit_of_0_is_a_limit() -> None:
    tape = tape_of(f"{AT} A =64 x0\n{AT} B =63 x1", {"A": {"prev_close": 64}, "B": {"prev_close": 64}})
    limits: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"min_change_pct": 0}, ("A",)),
        ({"max_change_pct": 0}, ("B", "A")),
        ({"min_dollar_volume": 0}, ("B", "A")),
        ({"max_price": 0}, ()),
        ({"max_rvol": 0}, ()),
    ]
    for limit, passes in limits:
        _, scans = scanned(tape, [Everyone(**{**OPEN, **limit})], minute(AT) + 1)
        assert scans[-1].lists["everyone"].symbols == passes, limit


@pytest.mark.parametrize(
    ("session", "at"), [("PRE", "09:29"), ("REGULAR", "09:30"), ("REGULAR", "15:59"), ("POST", "16:00")]
)
def test_a_scanner_looks_in_its_sessions_alone(session: str, at: str) -> None:
    roster = [Everyone(**{**OPEN, "sessions": [s], "name": s.lower()}) for s in ("PRE", "REGULAR", "POST")]
    _, scans = scanned(tape_of("04:00 A =10 x100"), roster, minute(at) + 1)
    assert [name for name, ranking in scans[-1].lists.items() if ranking.symbols] == [session.lower()]


def test_every_gate_has_the_default_that_is_defined() -> None:
    expected = {
        "sessions": (Session.REGULAR,),
        "min_price": 1,
        "min_dollar_volume": (100_000, 1_000_000),
        "top": 20,
        "cooldown": 15,
        "rearm_pct": 1,
    }
    found = {f.name: getattr(Scanner().gates, f.name) for f in fields(Gates)}
    assert found == dict.fromkeys(found) | expected


def test_a_rule_that_names_a_gate_sets_its_default() -> None:
    assert (Winners().gates.min_change_pct, HodBreak().gates.min_rvol) == (5, 3)
    assert Winners().gates.sessions == (Session.PRE, Session.REGULAR, Session.POST)
    assert HodBreak.param["min_rvol"].bounds == (0, None)


def test_gates_follow_their_thresholds() -> None:
    scanner = HodBreak()
    assert scanner.gates is scanner.gates
    scanner.min_rvol = 7
    assert scanner.gates.min_rvol == 7
    scanner.param.update(min_rvol=8, min_price=None)
    assert (scanner.gates.min_rvol, scanner.gates.min_price) == (8, None)


def test_what_is_unknown_is_explained_by_what_it_lacks() -> None:
    tape = tape_of(f"{AT} A =10 x100")
    told = {reason.what: reason for reason in _reasons(tape, Everyone(min_rvol=3, min_change_pct=1, max_float=5), "A")}
    assert (told["change_pct"].holds, told["change_pct"].unknown) == (None, "no bar today, no prev_close")
    assert told["rvol_tod"].unknown.startswith("usual volume unknown, or below 1,000 shares")
    assert told["float_shares"].unknown == "float_shares is not known"
    assert (told["last"].holds, told["last"].margin) == (True, 9.0)
    assert (told["day_dollar_volume"].holds, told["day_dollar_volume"].threshold) == (False, 100_000)
    assert (told["session"].value, told["session"].holds) == ("PRE", True)
    assert math.isnan(told["change_pct"].value)


def _reasons(tape: Tape, scanner: Scanner, symbol: str) -> tuple[Reason, ...]:
    _, scans = scanned(tape, [scanner], minute(AT) + 1)
    return scanner.why(scans[-1].snapshot, symbol)


# The stricter of each gate: a's, b's, and what `a & b` has, both ways round.
@pytest.mark.parametrize(
    ("gate", "a", "b", "stricter"),
    [
        *(
            (name, 2, 5, 5)
            for name in (
                "min_price",
                "min_market_cap",
                "min_avg_volume",
                "min_volume",
                "min_volume_1m",
                "min_change_pct",
                "min_rvol",
            )
        ),
        *(
            (name, 2, 5, 2)
            for name in ("max_price", "max_market_cap", "max_float", "max_change_pct", "max_rvol", "max_spread_pct")
        ),
        ("min_price", None, 5, 5),
        ("max_price", None, 5, 5),
        ("min_price", None, None, None),
        ("min_price", None, 0, 0),
        ("max_change_pct", -5, 0, -5),
        ("min_dollar_volume", (1, 9), (2, 8), (2, 9)),
        ("min_dollar_volume", None, 5, (5, 5)),
        ("cooldown", 2, 5, 5),
        ("rearm_pct", 2, 5, 5),
        ("rearm_pct", 0, 5, 0),
        ("top", 2, 5, 2),
        ("sessions", ["PRE", "REGULAR"], ["POST", "REGULAR"], ("REGULAR",)),
        ("sessions", ["PRE"], ["POST"], ()),
        *((name, ["a", "b"], ["b", "c"], {"b"}) for name in ("sectors", "industries", "exchanges", "kinds", "symbols")),
        ("symbols", None, ["b"], {"b"}),
        ("exclude", ["a"], ["b"], {"a", "b"}),
        ("exclude", None, ["b"], {"b"}),
    ],
)
def test_the_stricter_of_each_gate(gate: str, a: Any, b: Any, stricter: Any) -> None:
    left, right = (Scanner(**{gate: value}).gates for value in (a, b))
    assert getattr(left.stricter(right), gate) == stricter == getattr(right.stricter(left), gate)


def test_no_gate_is_left_out_of_the_stricter() -> None:
    gates = Scanner().gates
    assert gates.stricter(gates) == gates
    assert {f.name for f in fields(Gates)} <= set(Scanner.param)


def test_the_dollars_that_are_asked_for_are_those_of_the_minute_over_a_whole_day_too() -> None:
    from scanner_kit.meter import measure_day

    tape = tape_of("09:00 A =10 x10000\n09:31 A =10 x90000")
    scanner = Everyone()
    selected = np.asarray(scanner.verdict(measure_day(tape, scanner.metrics())).selected.true)[:, 0]
    assert np.flatnonzero(selected).tolist() == [*range(minute("09:00"), minute("09:30")), *range(minute("09:31"), 960)]
