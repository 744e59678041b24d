"""The lease: of several processes that could do a work one does it, for a few seconds at a time, under a number.

Whoever holds it renews it between two pieces of its work, so that who is stuck loses it. The number grows with every
holder: what is written under an older one is refused by the script that writes.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scanner_kit.bus.connection import Bus, persist

SECONDS = 5.0
"""How long a lease lasts that nobody renews."""
RENEW_SECONDS = 1.5
"""How often a lease is renewed beside a work whose pieces may last."""

# A call whose answer was lost may be made again: the holder is told its number again.
_HOLD = """
local held = redis.call('GET', KEYS[1])
if held then
    local owner, number = string.match(held, '^(.*):(%d+)$')
    if owner ~= ARGV[1] then return 0 end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return tonumber(number)
end
local number = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. number, 'PX', ARGV[2])
return number
"""
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Lease:
    """A work's lease as one process sees it.

    `key` holds the owner and its number and expires; `fence` counts the numbers. The default ones are the engine's.
    `number` is 0 while another holds it, and another number whenever it was not held in between.
    """

    def __init__(
        self, bus: Bus, key: str | None = None, fence: str | None = None, *, owner: str = "", seconds: float = SECONDS
    ) -> None:
        self._keys = [key or bus.keys.lease, fence or bus.keys.fence]
        self.owner, self.seconds, self.number = f"{owner or 'owner'}:{uuid.uuid4().hex[:12]}", seconds, 0
        self._hold: Any = bus.redis.register_script(_HOLD)
        self._give_back: Any = bus.redis.register_script(_GIVE_BACK)

    def __repr__(self) -> str:
        return f"<Lease of {self.owner}, {f'number {self.number}' if self.number else 'held by another'}>"

    @property
    def token(self) -> str:
        """What stands in `key` while this process holds the lease."""
        return f"{self.owner}:{self.number}"

    def hold(self) -> int:
        """Take the lease where it is free, or renew it; its number, or 0 where another holds it."""
        self.number = int(self._hold(keys=self._keys, args=[self.owner, int(self.seconds * 1000)]))
        return self.number

    def give_back(self) -> None:
        """Let another take over at once."""
        if self.number:
            self._give_back(keys=self._keys[:1], args=[self.token])
        self.number = 0

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew it from a thread beside the block while it is held, and give it back at the end."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(RENEW_SECONDS):
                if self.number:
                    persist(self.hold, done)

        thread = threading.Thread(target=renew, daemon=True, name="scanner_kit lease")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(SECONDS)
            persist(self.give_back, _soon())


def _soon() -> threading.Event:
    """An event that ends a try which should not last."""
    soon = threading.Event()
    timer = threading.Timer(1.0, soon.set)
    timer.daemon = True
    timer.start()
    return soon
