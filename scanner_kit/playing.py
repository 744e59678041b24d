"""Playing: days of a tape or of the simulated market, at a pace, on a live board; in a notebook, a page or a test.

>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> playing = play(simulated_days(SimulatedMarket(symbols=20)), speed=100_000, days=1)
>>> playing.wait(60)
True
>>> playing.board.state("status")["clock"]["k"]
959
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import Any

from scanner_kit import scanners as built_in
from scanner_kit.answers import chart_metrics
from scanner_kit.bars import Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput, must_be
from scanner_kit.run import Desk, run
from scanner_kit.scanner import Scanner
from scanner_kit.sources.player import Player
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.views.desk import OnBoard, board_over
from scanner_kit.views.feed import LINK, Board
from scanner_kit.watch import Watch

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
BEFORE_THE_OPEN = 320


class Playing:
    """Days that are being played in a thread of their own; `board` shows them, `desk` answers for the present one.

    An error ends the playing: it is logged, stands in the board's health, and `wait` raises it.
    """

    def __init__(
        self,
        tapes: Iterable[Tape],
        scanners: Iterable[AnyScanner],
        speed: float,
        start_k: int,
        link: str = LINK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tapes, self.speed, self.start_k, self._clock = iter(tapes), speed, start_k, clock
        first = next(self._tapes, None)
        if first is None:
            raise InvalidInput("There is no day to play. Give a source with at least one trading day.")
        if not hasattr(first, "universe"):
            raise InvalidInput(f"Tapes are played; found {first!r}. Write, say, simulated_days(market).")
        given: Any = scanners
        roster = list(given) if isinstance(given, Iterable) else given  # which the engine refuses, with a sentence
        self.desk = Desk(Engine(first.universe, roster, metrics=chart_metrics()))
        self.watch = Watch(self.desk, first.universe.label or "tape")
        self.board: Board = board_over(lambda: self.desk, link)
        self.player = self._player(first)
        self.fault: Exception | None = None
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=target, daemon=True, name=f"scanner_kit {target.__name__}")
            for target in (self._play, self._beat)
        ]
        own = (scanner for scanner in roster if isinstance(scanner, Scanner))
        self._watched = [(scanner, scanner.param.watch(self._follow, list(scanner.settings()))) for scanner in own]

    def start(self) -> "Playing":
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self, after: float = 0.0) -> None:
        """End it and wait until it has ended; or have it ended `after` some seconds, and return at once."""
        if after > 0:
            timer = threading.Timer(after, self.stop)
            timer.daemon, timer.name = True, "scanner_kit stop"
            timer.start()
            return
        self._over.set()
        self.player.stop()
        for scanner, watcher in self._watched:
            scanner.param.unwatch(watcher)
        self._watched = []
        for thread in self._threads:
            thread.join(timeout=10)

    def wait(self, seconds: float) -> bool:
        """Wait until all days are played; whether they were in time. What ended the playing before is raised."""
        over = self._over.wait(seconds)
        if self.fault is not None:
            raise self.fault
        return over

    def _follow(self, *moved: Any) -> None:
        """Have the thresholds of a scanner that somebody moves, with its controls in a notebook for instance."""
        self.board.change(moved[0].obj.name, {event.name: event.new for event in moved})

    def _play(self) -> None:
        try:
            self._day()
            while not self._over.is_set() and (tape := next(self._tapes, None)) is not None:
                self._begin(tape)
                self._day()
            self.board.report(self.watch.close())
        except Exception as fault:
            log.exception("The engine ended: %s", fault)
            self.fault = fault
            self.board.report(self.watch.fail(fault))
        finally:
            self._over.set()

    def _begin(self, tape: Tape) -> None:
        self.desk.begin(lambda roster: Engine(tape.universe, roster, metrics=chart_metrics()))
        self.player = self._player(tape)

    def _player(self, tape: Tape) -> Player:
        return Player(tape, self.speed, self.start_k, self._clock)

    def _day(self) -> None:
        sinks = (self.watch, OnBoard(self.board))
        run(self.watch.over(self.player), self.desk, sinks, goes_on=lambda: not self._over.is_set())

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            self.watch.beat()
            self.board.report(self.watch.rows())


def play(
    tapes: Iterable[Tape],
    scanners: Iterable[AnyScanner] | None = None,
    *,
    speed: float = 60.0,
    start_k: int = BEFORE_THE_OPEN,
    days: int | None = None,
    link: str = LINK,
) -> Playing:
    """Play days one after the other: the minutes before `start_k` at once, then `speed` times as fast as they were.

    A threshold of one of the `scanners` that is moved meanwhile, by its controls or in code, is in force from the next
    step on.
    """
    given: Any = tapes
    if isinstance(given, Tape | SimulatedMarket | TapeSource) or not isinstance(given, Iterable):
        raise InvalidInput(
            f"Tapes are played one after the other; found {tapes!r}. Write [tape], or simulated_days(market), or "
            f"days_of(source)."
        )
    must_be((Integral, type(None)), days, "A number of days is 1 or more", "Leave it out for all of them.")
    if days is not None and days < 1:
        raise InvalidInput(f"A number of days is 1 or more; found {days!r}. Leave it out for all of them.")
    chosen = built_in.roster() if scanners is None else scanners
    return Playing(itertools.islice(tapes, days), chosen, speed, start_k, link).start()


def simulated_days(market: SimulatedMarket) -> Iterator[Tape]:
    """The market's day, and the trading days after it, for ever."""
    must_be(SimulatedMarket, market, "Simulated days are of a SimulatedMarket", "Give one, say SimulatedMarket().")
    return _days_on(market)


def _days_on(market: SimulatedMarket) -> Iterator[Tape]:
    day = TradingDay.of(market.day)
    while True:
        yield simulated_tape(SimulatedMarket(symbols=market.symbols, seed=market.seed, day=day.date))
        day = TradingDay.after(day.date)


def days_of(source: TapeSource, first: str | None = None) -> Iterator[Tape]:
    """The days of a source from the first one on, again and again."""
    if not isinstance(source, TapeSource):
        raise InvalidInput(f"Days are those of a TapeSource; found {source!r}. For one tape write [tape].")
    days = [day for day in source.days if first is None or day >= TradingDay.of(first)]
    if not days:
        raise InvalidInput(
            f"The source has no bars on or after {first}. Its last day is {source.days[-1].date}."
            if source.days
            else "The source has no bars."
        )
    return (source.tape(day.date) for day in itertools.cycle(days))
