"""A tape played at a pace.

The entries of a day, each when its minute would end on a clock that runs `speed` times as fast.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from numbers import Integral, Real

from scanner_kit.bars import Bars, Tape
from scanner_kit.errors import InvalidInput, must_be


@dataclass(eq=False)
class Player:
    """Plays a tape: the minutes before `start_k` at once, then one every 60/`speed` seconds, until it ends.

    >>> from scanner_kit.calendar import TradingDay
    >>> from scanner_kit.universe import Universe
    >>> tape = Tape.empty(Universe.of(TradingDay.of("2025-01-27"), ["NVDA"]))
    >>> sum(1 for bars in Player(tape, speed=1e9))
    960
    """

    tape: Tape
    speed: float = 60.0
    start_k: int = 0
    clock: Callable[[], float] = time.monotonic
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        must_be(Real, self.speed, "A speed is a number", "Write, say, 60: a minute a second.")
        must_be(Integral, self.start_k, "start_k is a minute of the day, from 0 on", "Write, say, 330 for the open.")
        if not self.speed > 0:
            raise InvalidInput(f"A speed is above 0 (60 is a minute a second); found {self.speed!r}.")

    def __iter__(self) -> Iterator[Bars]:
        begun = self.clock()
        for bars in self.tape:
            due = begun + max(0, bars.k - self.start_k) * 60.0 / self.speed
            if self._stopped.wait(max(0.0, due - self.clock())):
                return
            yield bars

    def stop(self) -> None:
        """End it now, whatever it waits for."""
        self._stopped.set()
