"""A silent symbol: no bar comes though it usually trades, and the vendor has newer ones."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from scanner_kit.bars import Bars, LateBars, Tape
from scanner_kit.bus.connection import Bus
from scanner_kit.calendar import TradingDay
from scanner_kit.live.feed.feeds import Drawn, Filed, SimulatedFeed
from scanner_kit.live.feed.silence import SILENT_MINUTES, Asked, Silence
from scanner_kit.live.ingest import Ingest
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.universe import Universe

DAY = TradingDay.of("2025-06-18")
NAN = np.nan


class Vendor:
    """Has bars of these minutes; counts whom it is asked for."""

    def __init__(self, **newest: int) -> None:
        self.has, self.asked = dict(newest), list[list[str]]()

    def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
        self.asked.append(list(symbols))
        return {symbol: min(k, self.has[symbol]) for symbol in symbols if symbol in self.has}


def universe(usual: Mapping[str, float]) -> Universe:
    """Symbols that usually trade so many shares in every minute."""
    curve = np.outer(np.arange(1, DAY.minutes + 1), list(usual.values()))
    return Universe.of(DAY, usual, {"usual_volume": curve})


def bars(k: int, *closes: float, late: LateBars | None = None) -> Bars:
    prices = np.array(closes)
    return Bars(k, prices, prices, prices, prices, np.where(np.isnan(prices), 0.0, 500.0), prices, late=late)


def watched(vendor: Vendor, minutes: Mapping[int, tuple[float, ...]], usual: Mapping[str, float]) -> Silence:
    silence = Silence(universe(usual), vendor)
    for k, closes in minutes.items():
        silence.note(bars(k, *closes))
        silence.ask()
    return silence


QUIET_B = {0: (1.0, 2.0), **dict.fromkeys(range(1, 6), (1.0, NAN))}


def test_who_is_silent_although_the_vendor_has_newer_bars_is_found() -> None:
    vendor = Vendor(A=9, B=9)
    silence = watched(vendor, QUIET_B, {"A": 1e3, "B": 1e3})
    assert silence.found() == (("B", 5.0, 5e3),)
    assert vendor.asked == [["B"]], "asked once it was silent for three minutes, and not again once that is known"


def test_who_has_no_newer_bars_there_either_does_not_trade() -> None:
    vendor = Vendor(A=9, B=0)
    assert watched(vendor, QUIET_B, {"A": 1e3, "B": 1e3}).found() == ()
    assert vendor.asked == [["B"]] * 3


@pytest.mark.parametrize("usual", [99.0, NAN])
def test_who_seldom_trades_or_is_not_known_to_is_not_asked_for(usual: float) -> None:
    vendor = Vendor(A=9, B=9)
    assert watched(vendor, QUIET_B, {"A": 1e3, "B": usual}).found() == ()
    assert vendor.asked == []


def test_a_bar_that_comes_ends_it_and_it_may_begin_again() -> None:
    silence = watched(Vendor(A=99, B=99), QUIET_B, {"A": 1e3, "B": 1e3})
    silence.note(bars(6, 1.0, 2.0))
    assert silence.found() == ()
    for k in range(7, 10):
        silence.note(bars(k, 1.0, NAN))
        silence.ask()
        assert bool(silence.found()) is (k - 6 >= SILENT_MINUTES)


def test_a_late_bar_counts_as_one_that_came() -> None:
    silence = watched(Vendor(A=9, B=9), QUIET_B, {"A": 1e3, "B": 1e3})
    one = np.array([2.0])
    silence.note(bars(6, 1.0, NAN, late=LateBars(np.array([5]), np.array([1]), one, one, one, one, one, one)))
    assert silence.found() == ()


def test_who_comes_in_the_middle_of_a_day_waits_for_bars_from_then_on() -> None:
    silence = Silence(universe({"A": 1e3, "B": 1e3}), Vendor(A=400, B=400), 300)
    for k in (301, 302):
        silence.note(bars(k, NAN, 1.0))
        silence.ask()
    assert silence.found() == ()
    silence.note(bars(303, NAN, 1.0))
    silence.ask()
    assert silence.found() == (("A", 3.0, 3e3),)


def test_many_are_asked_for_in_turn_and_the_largest_are_shown() -> None:
    names = {f"S{number:02d}": 1e3 + number for number in range(50)}
    vendor = Vendor()
    silence = watched(vendor, dict.fromkeys(range(6), (NAN,) * 50), names)
    assert [len(asked) for asked in vendor.asked] == [20] * 4
    assert len({symbol for asked in vendor.asked for symbol in asked}) == 50
    vendor.has = dict.fromkeys(names, 99)
    for k in range(6, 12):
        silence.note(bars(k, *(NAN,) * 50))
        silence.ask()
    assert [symbol for symbol, _, _ in silence.found()] == sorted(names, reverse=True)[:20]


def test_a_vendor_that_cannot_be_asked_is_a_fault_until_it_can() -> None:
    class Broken(Vendor):
        def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
            if not self.has:
                raise OSError("no route")
            return super().newest(symbols, k)

    vendor = Broken()
    silence = watched(vendor, QUIET_B, {"A": 1e3, "B": 1e3})
    assert silence.faults() == [
        {"resource": "vendor", "reason": "it cannot be asked for its newest bars: OSError('no route')"}
    ]
    vendor.has = {"B": 5}
    silence.ask()
    assert (silence.faults(), silence.found()) == ([], (("B", 5.0, 5e3),))


# The feeds


@cache
def market() -> SimulatedMarket:
    return SimulatedMarket(symbols=8, seed=3)


@cache
def tape() -> Tape:
    return simulated_tape(market())


def test_played_days_are_asked_like_a_vendor() -> None:
    given, k = tape(), 400
    for minutes in (Drawn(given, (0,)), Filed(given)):
        assert isinstance(minutes, Asked)
        told = minutes.newest(given.universe.symbols, k)
        for row, symbol in enumerate(given.universe.symbols):
            traded = [minute for minute in range(k + 1) if np.isfinite(given.close[minute, row])]
            assert told.get(symbol) == (traded[-1] if traded else None)
    assert Filed(given).newest(given.universe.symbols, 0).keys() <= set(given.universe.symbols)


@dataclass(frozen=True)
class Withheld(Drawn):
    """A day of which the bars of one symbol do not come for some minutes."""

    row: int = 0
    minutes: range = range(0)

    def closed(self, k: int) -> Bars:
        whole = self.tape.bars(k)
        if k not in self.minutes:
            return whole
        columns = {name: getattr(whole, name).copy() for name in ("open", "high", "low", "close", "volume", "vwap")}
        for name, column in columns.items():
            column[self.row] = 0.0 if name == "volume" else NAN
        return Bars(k, **columns)


class Withholding(SimulatedFeed):
    """The simulated market, of which a vendor keeps the bars of one symbol to itself."""

    def __init__(self, symbol: str, minutes: range) -> None:
        super().__init__(market())
        self.symbol, self.kept = symbol, minutes

    def minutes(self, universe: Universe) -> Drawn:
        drawn = super().minutes(universe)
        return Withheld(drawn.tape, drawn.key, universe.row(self.symbol), self.kept)


def busiest() -> str:
    volume = tape().volume[400:430].min(axis=0)
    return tape().universe.symbols[int(np.argmax(volume))]


@pytest.mark.parametrize("kept", [range(405, 500), range(0)], ids=["withheld", "whole"])
def test_the_heartbeat_of_an_ingest_names_a_silent_symbol(a_bus: Bus, kept: range) -> None:
    symbol, over = busiest(), threading.Event()
    work = Ingest(a_bus, Withholding(symbol, kept), speed=600.0, start_k=400, forming_seconds=0, days=1)
    thread = threading.Thread(target=work.run, args=[over])
    thread.start()
    try:
        end = time.monotonic() + 60
        while work.facts()["figures"]["k"] < 420:
            assert time.monotonic() < end
            time.sleep(0.05)
        silent = work.facts()["silent"]
    finally:
        over.set()
        thread.join()
    if kept:
        ((name, minutes, shares),) = silent
        assert (name, shares > 100 * minutes) == (symbol, True)
        assert minutes >= 15
    else:
        assert silent == ()
    assert work.facts()["silent"] == ()
