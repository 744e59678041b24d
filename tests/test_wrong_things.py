"""One thing of the kit given in the place of another, and the exact sentence that it is answered with."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from notation import OFF, scanned, tape_of

import scanner_kit as sk
from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.scanners import HodBreak, Winners
from scanner_kit.settings import LINK
from scanner_kit.tuning.reality import reality_check
from scanner_kit.tuning.worth import resamples

TAPE: Any = tape_of("04:00 A =10 x1\n04:00 B =10 x1")
MARKET: Any = sk.SimulatedMarket(symbols=5)
NUMBER: Any = 3
WORD: Any = "fast"
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
    (
        lambda: sk.read_settings(NUMBER),
        "Settings are a TOML file; found 3. Give its path, or nothing for the defaults.",
    ),
    (
        lambda: sk.Settings(thresholds=NUMBER),
        "Thresholds are by scanner and name; found 3. Write {'hod_break': {'min_rvol': 2.5}}.",
    ),
    (
        lambda: sk.Settings(live=NUMBER),
        "Where a desk meets is said by LiveSettings; found 3. Write, say, LiveSettings().",
    ),
    (lambda: sk.Board(NUMBER), "A board's roster is a list of scanners; found 3. Write, say, [HodBreak()]."),
    (
        lambda: sk.Board(label=NUMBER),
        "A board's label is a text; found 3. Write, say, 'simulated', or leave it out.",
    ),
    (lambda: sk.Board(explain=NUMBER), "A board's explain is a function; found 3. Leave it out for none."),
    (
        lambda: sk.Board(clock=NUMBER),
        "A board's clock is a function that gives seconds; found 3. Leave it out for time.time.",
    ),
    (
        lambda: sk.Board(link=NUMBER),
        "A link to a symbol's page starts with https:// and holds {symbol}; found 3. Try " + LINK,
    ),
    (lambda: sk.play([TAPE], speed=WORD), "A speed is a number; found 'fast'. Write, say, 60: a minute a second."),
    (lambda: sk.play([TAPE], days=WORD), "A number of days is 1 or more; found 'fast'. Leave it out for all of them."),
    (
        lambda: sk.play([TAPE], start_k=WORD),
        "start_k is a minute of the day, from 0 on; found 'fast'. Write, say, 330 for the open.",
    ),
    (
        lambda: sk.simulated_days(TAPE),
        f"Simulated days are of a SimulatedMarket; {FOUND} Give one, say SimulatedMarket().",
    ),
    (lambda: sk.Engine(TAPE.universe, metrics=NUMBER), "Metrics are given in a list; found 3. Write, say, [Last()]."),
    (lambda: sk.measure_day(TAPE, NUMBER), "Metrics are given in a list; found 3. Write, say, [Last()]."),
    (
        lambda: sk.measure(TAPE, cache=2.5),  # type: ignore[arg-type]
        "The cache is a folder; found 2.5. Name one, or write False to keep it in memory.",
    ),
    (
        lambda: sk.History(NUMBER),
        "A history is of days that were measured; found 3. Make it with sk.measure(bars, days).",
    ),
    (
        lambda: sk.walk_forward(NUMBER),
        "What is walked through is a Sweep; found 3. Give sweep(history, scanner, grid).",
    ),
    (lambda: sk.save_tape(NUMBER, "x"), "What is kept is a Tape; found 3. Give, say, sk.simulated_tape(market)."),
    (lambda: sk.save_tape(TAPE, NUMBER), "A tape is kept in a folder; found 3. Give its path."),
    (lambda: sk.load_tape(NUMBER), "A tape is kept in a folder; found 3. Give its path."),
    (
        lambda: replace(TAPE, universe=NUMBER),
        "A tape is of a Universe; found 3. Give, say, Universe.of(day, symbols).",
    ),
    (
        lambda: replace(TAPE, high=NUMBER),
        "Tape.high is an array; found 3. Give one row a minute from 04:00 on.",
    ),
    (lambda: replace(TAPE, late=NUMBER), "Tape.late are by minute; found 3. Write {} for none."),
    (
        lambda: sk.Universe.of(WORD, ["A"]),
        "A Universe is of a TradingDay; found 'fast'. Give, say, TradingDay.of('2025-01-27').",
    ),
    (lambda: sk.Universe.of(TAPE.universe.day, WORD), "A Universe is of symbols; found 'fast'. Write, say, ['NVDA']."),
    (
        lambda: replace(TAPE.universe, share_of_market=True),
        "share_of_market is a number; found True. Leave it out for the whole market.",
    ),
    (lambda: sk.ScanResult(adds=NUMBER), "A result adds symbols; found 3. Write adds=['NVDA']."),
    (lambda: sk.Session(WORD), "There is no session 'fast'. Known: CLOSED, POST, PRE, REGULAR."),
    (lambda: sk.assess(NUMBER, sk.Session.PRE), "Health is assessed at an instant; found 3. Give an aware one."),
    (
        lambda: sk.assess(dt.datetime.now(dt.UTC), sk.Session.PRE, feeds=NUMBER),
        "What is assessed as Feed is a list of these; found 3. Write [] for none.",
    ),
    (
        lambda: sk.assess(dt.datetime.now(dt.UTC), sk.Session.PRE, faults=[NUMBER]),
        "What is assessed as Fault is a list of these; found 3. Write [] for none.",
    ),
    (lambda: sk.board(NUMBER), "A board is of a desk's Settings; found 3. Give read_settings(path), or nothing."),
    (lambda: sk.board(show=NUMBER), "What is shown has a name; found 3. Write 'live', 'explorer' or 'health'."),
]


@pytest.mark.parametrize(("wrong", "sentence"), SENTENCES)
def test_the_wrong_thing_is_answered_with_a_sentence(wrong: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(sk.InvalidInput) as fault:
        wrong()
    assert str(fault.value) == sentence


def test_the_dashboard_is_made_by_its_name_also_beside_the_package_of_that_name() -> None:
    import_module("scanner_kit.live")
    assert type(sk.live(sk.Board())) is type(sk.views.live(sk.Board()))
