"""Why tells all: lifting the conditions that it names, one after the other, makes a scanner fire after all at most."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanner_kit as sk
from scanner_kit import scanners as built_in
from scanner_kit.engine import Scan
from scanner_kit.explain import Why
from scanner_kit.judge import Judge, Remembered
from scanner_kit.lifting import Lift, lifts
from scanner_kit.sources.tape import TapeSource

DAYS = ("2025-01-27", "2025-01-29", "2025-01-31", "2025-02-04", "2025-02-07")
MOST = 10
OVER = (5, 15)
LARGE = 0.5
"""Percent: no day had so few larger moves that a smaller one would count."""
ROSTER = {scanner.name: scanner for scanner in built_in.roster() if scanner.triggers}
ONLY_THRESHOLDS = {"unusual_volume"}
"""Whose every condition is a threshold, wherever there is a bar."""


@dataclass(frozen=True)
class Move:
    """A large move of a symbol that a scanner said nothing of; `size` in percent, over some minutes up to `k`."""

    symbol: str
    k: int
    size: float
    minutes: int


@dataclass(frozen=True)
class Seen:
    """A day with every scan, and what was remembered before each."""

    engine: sk.Engine
    scans: Sequence[Scan]
    remembered: Sequence[Remembered]
    moves: Sequence[Move]
    answers: dict[tuple[str, int], tuple[Why, ...]] = field(default_factory=dict)

    def why(self, move: Move, name: str) -> Why:
        """The answer of one scanner; all answer at once."""
        key = move.symbol, move.k
        if key not in self.answers:
            self.answers[key] = self.engine.why(*key)
        return next(why for why in self.answers[key] if why.scanner == name)


@pytest.fixture(scope="module", params=DAYS)
def seen(request: pytest.FixtureRequest, data: Path) -> Seen:
    """A real day, walked by every scanner that speaks."""
    tape = source(data).tape(request.param)
    engine, judge = sk.Engine(tape.universe, ROSTER.values()), Judge(ROSTER.values())
    scans, remembered = [], [Remembered()]
    for bars in tape:
        scans.append(engine.step(bars))
        remembered.append(judge.judge(scans[-1].snapshot, remembered[-1]).remembered)
    return Seen(engine, scans, remembered, moves_of(tape))


def moves_of(tape: sk.Tape) -> list[Move]:
    """All moves between two bars in regular hours, the largest first."""
    day, close = tape.universe.day, tape.close
    found = []
    for minutes in OVER:
        first = day.open_k + minutes
        size = 100 * (close[first : day.close_k] / close[first - minutes : day.close_k - minutes] - 1)
        for k, row in zip(*(part.tolist() for part in np.nonzero(np.abs(size) > LARGE)), strict=True):
            found.append(Move(tape.universe.symbols[row], first + k, float(size[k, row]), minutes))
    return sorted(found, key=lambda one: -abs(one.size))


def largest(moves: Sequence[Move], triggers: Sequence[sk.Trigger]) -> list[Move]:
    """The largest of each symbol, of those in whose minute there was no trigger of it; the ten largest of them."""
    said = {(t.symbol, t.k) for t in triggers}
    by_symbol: dict[str, Move] = {}
    for one in moves:
        if (one.symbol, one.k) not in said:
            by_symbol.setdefault(one.symbol, one)
    return list(by_symbol.values())[:MOST]


@cache
def source(folder: Path) -> TapeSource:
    return TapeSource(folder / "bars_1m" / "us99_ext_2025.parquet", daily=folder / "bars_1d" / "us99_ext_2025.parquet")


def fires(seen: Seen, scanner: Any, move: Move, remembered: Remembered) -> bool:
    """Whether a scanner that is in force from the move's minute on speaks of it in that minute."""
    judged = Judge([scanner]).judge(seen.scans[move.k].snapshot, remembered)
    return any(trigger.symbol == move.symbol for trigger in judged.triggers)


@pytest.mark.parametrize("name", ROSTER)
def test_lifting_what_why_names_makes_the_scanner_fire(seen: Seen, name: str) -> None:
    scanner = ROSTER[name]
    moves = largest(seen.moves, [trigger for trigger in seen.engine.triggers if trigger.scanner == name])
    assert len(moves) == MOST
    for move in moves:
        why = seen.why(move, name)
        named = lifts(scanner, seen.scans[move.k].snapshot, move.symbol, why.kind)
        assert [str(lift.reason) for lift in named] == [str(reason) for reason in why.blocking]
        assert_fires(seen, scanner, move, why, named)
        if name in ONLY_THRESHOLDS:
            assert all(lift.thresholds for lift in named), (move, why)


def assert_fires(seen: Seen, scanner: sk.Scanner, move: Move, why: Why, named: Sequence[Lift]) -> None:
    """It fires after the conditions named, at most; what is remembered holds it back only where `why` says so."""
    before = seen.remembered[move.k]
    held_back = why.held_back or why.even_then
    assert not any(fires(seen, lift.scanner, move, before) for lift in named[:-1] if held_back)
    at_last = named[-1].scanner if named else scanner
    assert fires(seen, at_last, move, before) is not bool(held_back), (move, why)
    assert fires(seen, at_last, move, Remembered()), (move, why)
