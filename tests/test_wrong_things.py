"""One thing of the kit given in the place of another, and the exact sentence that it is answered with."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from notation import OFF, scanned, tape_of

import scanner_kit as sk
from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.scanners import HodBreak, Winners
from scanner_kit.tuning.reality import reality_check
from scanner_kit.tuning.worth import resamples

TAPE: Any = tape_of("04:00 A =10 x1\n04:00 B =10 x1")
MARKET: Any = sk.SimulatedMarket(symbols=5)
NUMBER: Any = 3
ENGINE, SCANS = scanned(TAPE, [HodBreak(), Winners(**OFF)], 2)
ONE: Any = HodBreak()
DAY = sk.measure_day(TAPE, [])

FOUND = "found <Tape of 2025-01-27, 2 symbols>."
MAPS = (
    "A change maps scanners to thresholds and their values; found {}. Write, say, {{'hod_break': {{'min_rvol': 4.0}}}}."
)
PLAYED = "Tapes are played one after the other;"
TAPES = "Write [tape], or simulated_days(market), or days_of(source)."
JUDGED = "A day is judged from its snapshot;"
MEASURED = "Give measure_day(tape, metrics), with those of the scanners."
ROSTER = "A roster is a list of scanners; found HodBreak() alone. Write [HodBreak()]."
HISTORY = f"A scanner is tuned on a History; {FOUND} Make one with sk.measure(bars, days, [scanner])."
SEED = "A seed is a whole number, 0 or more; found {}. Give, say, seed=0."

SENTENCES: list[tuple[Callable[[], Any], str]] = [
    (lambda: ENGINE.change([1]), MAPS.format("[1]")),  # type: ignore[arg-type]
    (lambda: ENGINE.change({"hod_break": NUMBER}), MAPS.format("{'hod_break': 3}")),
    (
        lambda: sk.SettingsChange.of(winners=NUMBER),
        "A change gives thresholds and their values for winners; found 3. Write, say, winners={'min_price': 5.0}.",
    ),
    (lambda: sk.play(TAPE), f"{PLAYED} {FOUND} {TAPES}"),
    (lambda: sk.play(MARKET), f"{PLAYED} found {MARKET!r}. {TAPES}"),
    (lambda: sk.play([NUMBER]), "Tapes are played; found 3. Write, say, simulated_days(market)."),
    (lambda: sk.play([TAPE], days=0), "A number of days is 1 or more; found 0. Leave it out for all of them."),
    (lambda: sk.play([TAPE], ONE), ROSTER),
    (lambda: sk.days_of(TAPE), f"Days are those of a TapeSource; {FOUND} For one tape write [tape]."),
    (
        lambda: sk.simulated_tape(NUMBER),
        "A simulated tape is of a SimulatedMarket; found 3. Give one, say SimulatedMarket().",
    ),
    (lambda: sk.judge_day(TAPE, [ONE]), f"{JUDGED} {FOUND} {MEASURED}"),
    (lambda: sk.judge_day(SCANS[0].snapshot, [ONE]), f"{JUDGED} found {SCANS[0].snapshot!r}. {MEASURED}"),
    (lambda: sk.judge_day(DAY, ONE), ROSTER),
    (lambda: sk.measure_day(NUMBER, []), "A day is measured on a Tape; found 3. Give, say, sk.simulated_tape(market)."),
    (
        lambda: sk.measure_day(TAPE, m.Last()),  # type: ignore[arg-type]
        "Metrics are given in a list; found Last() alone. Write [Last()].",
    ),
    (lambda: sk.controls(NUMBER), "Controls are those of one scanner; found 3. Give, say, HodBreak()."),
    (lambda: sk.live(TAPE), f"The live dashboard is of a Board; {FOUND} Give, say, play([tape]).board."),
    (lambda: SCANS[0].rows("winers"), "There is no list 'winers'. Did you mean 'winners'?"),
    (lambda: scanners.roster("hot"), "A roster is of a list of names; found 'hot' alone. Write ['hot']."),
    (lambda: ENGINE.why(NUMBER), "The universe of 2025-01-27 has no symbol 3. Known: A, B."),
    (lambda: sk.sweep(TAPE, ONE, {"min_rvol": [2]}), HISTORY),
    (lambda: sk.lab(TAPE, ONE), HISTORY),
    (lambda: sk.plateau(NUMBER), "A plateau is of a Sweep; found 3. Give sweep(history, scanner, grid)."),
    (lambda: reality_check(np.ones((5, 2)), np.ones((5, 2)), seed=-1), SEED.format(-1)),
    (lambda: resamples(5, seed=-1), SEED.format(-1)),
]


@pytest.mark.parametrize(("wrong", "sentence"), SENTENCES)
def test_the_wrong_thing_is_answered_with_a_sentence(wrong: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(sk.InvalidInput) as fault:
        wrong()
    assert str(fault.value) == sentence


def test_the_dashboard_is_made_by_its_name_also_beside_the_package_of_that_name() -> None:
    import_module("scanner_kit.live")
    assert type(sk.live(sk.Board())) is type(sk.views.live(sk.Board()))
