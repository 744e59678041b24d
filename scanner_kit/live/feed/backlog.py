"""What waits in the inbox, and how much of it was dropped there before anybody took it.

The server counts what was ever put into a stream; beside it stands how much of that an ingest has taken. What is gone
without having been taken was dropped: by the bound of whoever writes, or because it was too old.
"""

from dataclasses import dataclass
from typing import Any

import redis

from scanner_kit.bus.connection import Bus

MOST = 100_000
"""How many entries an inbox is made for: whoever writes bounds it by that."""
OVER = 1.1
"""A bound that is kept roughly (`MAXLEN ~`) may be passed by so much."""


@dataclass(frozen=True)
class Backlog:
    """How many entries wait, how many of all are gone, and how many were taken; None where nobody took any yet.

    >>> Backlog(waiting=5, gone=7, taken=4).lost, Backlog(waiting=5, gone=7).lost
    (3, 0)
    """

    waiting: int = 0
    gone: int = 0
    taken: int | None = None

    @classmethod
    def of(cls, info: Any, taken: bytes | None = None) -> "Backlog":
        """Of what the server says of the stream, and of what stands beside it; nothing where there is no stream."""
        if info is None:
            return cls()
        waiting, added = int(info["length"]), int(info["entries-added"])
        count = None if taken is None else int(taken)
        # A count beyond all that was ever put there is of a stream that was lost.
        return cls(waiting, added - waiting, None if count is None or count > added else count)

    @property
    def lost(self) -> int:
        """How many were dropped before anybody took them, as far as is known."""
        return 0 if self.taken is None else max(0, self.gone - self.taken)

    @property
    def reason(self) -> str | None:
        """What is wrong with the inbox; None where nothing is."""
        if self.lost:
            return dropped(self.lost)
        if self.waiting > OVER * MOST:
            return f"{self.waiting:,} entries wait, more than the {MOST:,} that it is made for: no ingest takes them"
        return None


def backlog_of(bus: Bus) -> Backlog:
    """The backlog of a bus now."""
    return Backlog.of(info_of(bus), bus.redis.get(bus.keys.taken))  # type: ignore[arg-type]


def info_of(bus: Bus) -> Any:
    """What the server says of the stream; None where there is none."""
    try:
        return bus.redis.xinfo_stream(bus.keys.inbox)
    except redis.ResponseError as fault:
        if "no such key" in str(fault):
            return None
        raise


def dropped(entries: int) -> str:
    """That so many entries were dropped.

    >>> dropped(1), dropped(1200)
    ('1 entry was dropped before an ingest took it', '1,200 entries were dropped before an ingest took them')
    """
    return f"{entries:,} {'entry was' if entries == 1 else 'entries were'} dropped before an ingest took " + (
        "it" if entries == 1 else "them"
    )
