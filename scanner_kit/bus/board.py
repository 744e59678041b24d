"""Reading what was published: the board whole, and then step by step.

>>> from scanner_kit.bus.connection import connect
>>> for step in BoardReader(connect("unix:///run/desk/r.sock")).follow(over):  # doctest: +SKIP
...     print(step, [trigger.symbol for trigger in step.fired])
"""

import datetime as dt
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from scanner_kit.bus.connection import BLOCK_MS, Bus, persist
from scanner_kit.bus.plain import Announced
from scanner_kit.bus.steps import Step, announced_in, step_after, step_of_board
from scanner_kit.bus.tape import FIRST

AT_ONCE = 64
WAIT_SECONDS = 0.2
Entries = list[tuple[bytes, dict[bytes, bytes]]]


class BoardReader:
    """Reads what the engine published; any number of them, at any pace, from any process."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def whole(self) -> Step | None:
        """The board as it stands, without triggers; None while nothing was published."""
        return step_of_board(self._board())

    def follow(self, over: threading.Event) -> Iterator[Step]:
        """The board as it stands, with all triggers of its day so far, then each step as it comes, until `over`.

        Where steps were missed, for the stream was trimmed or lost, the board comes whole again (`Step.whole`). A lost
        server is waited for.
        """
        while not over.is_set():
            found = persist(self._whole, over)
            if found is None:
                over.wait(WAIT_SECONDS)
                continue
            step, last = found
            yield step
            yield from self._after(step, last, over)

    def _board(self) -> dict[bytes, bytes]:
        fields: Any = self.bus.redis.hgetall(self.bus.keys.board)
        return dict(fields)

    def _whole(self) -> tuple[Step, str] | None:
        fields = self._board()
        step = step_of_board(fields)
        if step is None:
            return None
        last = fields[b"last"].decode()
        return replace(step, triggers=tuple(triggers_of(self.bus, step.day, last))), last

    def _after(self, step: Step, last: str, over: threading.Event) -> Iterator[Step]:
        """The steps after one, over the ends of days; ends where one was missed."""
        day = step.day
        while not over.is_set():
            entries = persist(lambda: self._read(day, last, BLOCK_MS), over) or []  # noqa: B023  called at once
            if not entries:
                stands = persist(self._stands, over)
                entries = persist(lambda: self._read(day, last, None), over) or []  # noqa: B023
                if not entries and stands not in (None, (day, step.n)):
                    if stands[0] == day or stands[0] is None:
                        return
                    day, last = stands[0], FIRST
            for entry, fields in entries:
                following = step_after(step, day, fields)
                if following is None:
                    return
                step, last = following, entry.decode()
                yield step

    def _read(self, day: dt.date, last: str, block: int | None) -> Entries:
        """What follows on the day's stream, for which it waits `block` milliseconds."""
        read: Any = self.bus.redis.xread({self.bus.keys.scans(day): last}, count=AT_ONCE, block=block)
        return read[0][1] if read else []

    def _stands(self) -> tuple[dt.date | None, int]:
        """The day and the number of the step that the board stands at."""
        read: Any = self.bus.redis.hmget(self.bus.keys.board, ["day", "n"])
        day, n = read
        return (dt.date.fromisoformat(day.decode()) if day else None), int(n or 0)


def triggers_of(bus: Bus, day: dt.date | str, until: str = "+") -> list[Announced]:
    """Every trigger of a day that was published so far, or through the entry `until` of the day's stream, in order."""
    found: list[Announced] = []
    after = "-"
    while entries := cast("list[Any]", bus.redis.xrange(bus.keys.scans(day), min=after, max=until, count=AT_ONCE)):
        for _, fields in entries:
            found += announced_in(fields)
        after = f"({entries[-1][0].decode()}"
    return found
