"""Publishing: what the engine made of each entry of the tape, once each and in order, by the one that leads.

A step is one call of one script: it checks the lease and its number, and that the board stands where the publisher
thinks it does; then it appends the step to the day's stream and replaces on the board what changed. A call whose answer
was lost may be made again: it is told that the step stands, and changes nothing.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from scanner_kit.bus.connection import Bus
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.bus.lease import Lease
from scanner_kit.bus.plain import Announced
from scanner_kit.bus.steps import News, Stand, Step, board_fields, stand_of_board, stream_fields

MOST_STEPS = 100_000
"""The bound of a day's stream."""
LATE_SECONDS = 5.0
"""A trigger that is announced later than this after it was due says so."""

_PUBLISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
local stands = redis.call('HGET', KEYS[2], 'entry') or ''
if stands == ARGV[3] then return 'dup' end
if stands ~= ARGV[2] then return 'moved' end
local from = 7 + tonumber(ARGV[6])
local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'n', n, unpack(ARGV, from))
redis.call('HSET', KEYS[2], 'entry', ARGV[3], 'last', id, unpack(ARGV, 7, from - 1))
if redis.call('TTL', KEYS[3]) < 0 then redis.call('EXPIRE', KEYS[3], ARGV[5]) end
return 'ok'
"""


class Answer(StrEnum):
    """What became of a step: published; published before; refused, for another leads or the board is elsewhere."""

    OK = "ok"
    DUP = "dup"
    FENCED = "fenced"
    MOVED = "moved"


class Publisher:
    """Publishes steps under a lease. `place` is the step done last on the board, as `Step.place` writes it."""

    def __init__(self, bus: Bus, lease: Lease, clock: Callable[[], float] = time.time) -> None:
        self.bus, self.lease, self.clock = bus, lease, clock
        self.place, self._stand = "", Stand()
        self._publish: Any = bus.redis.register_script(_PUBLISH)

    def take_over(self) -> str:
        """Read where the board stands, and go on from there; the place."""
        fields: Any = self.bus.redis.hgetall(self.bus.keys.board)
        self.place, self._stand = fields.get(b"entry", b"").decode(), stand_of_board(fields)
        return self.place

    def publish(self, step: Step) -> Answer:
        """Publish the step that follows the one done last; nothing is changed where it is refused."""
        news, told = News.of(self._stand, step.lists), announced(step, self.clock())
        board, stream = _flat(board_fields(told, news)), _flat(stream_fields(told, news))
        keys, day = self.bus.keys, step.day
        answer = Answer(
            self._publish(
                keys=[keys.lease, keys.board, keys.scans(day)],
                args=[self.lease.token, self.place, step.place, MOST_STEPS, KEPT_SECONDS, len(board), *board, *stream],
            ).decode()
        )
        if answer in (Answer.OK, Answer.DUP):
            self.place, self._stand = step.place, news.after
        return answer


def announced(step: Step, now: float) -> Step:
    """The step as it is announced at `now` (s, UTC): under its version, and late where it is."""
    behind = now - step.due
    late = round(behind, 1) if behind > LATE_SECONDS else 0.0
    return replace(step, at=now, triggers=tuple(Announced(one.trigger, step.version, late) for one in step.triggers))


def _flat(fields: Mapping[str, Any]) -> list[Any]:
    return [part for field in fields.items() for part in field]
