"""A connection to the bus: which server, under which prefix, and what the client may do by itself.

Nothing is sent twice by the client: a call whose answer was lost may have been carried out. Whatever may safely be done
again is done again by `persist`.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scanner_kit.bus.keys import Keys
from scanner_kit.errors import InvalidInput, ScannerKitError

log = logging.getLogger(__name__)

T = TypeVar("T")

BLOCK_MS = 1_000
"""How long a reader waits for news in one call; an answer later than `SOCKET_SECONDS` is a broken connection."""
SOCKET_SECONDS = 5.0
LONGEST_WAIT = 2.0

CONNECTIONS, FREE_SECONDS = 50, 5.0
"""How many connections a process has at most; a thread waits so long for one that is free."""

REFUSED = (redis.AuthenticationError, redis.exceptions.AuthorizationError)
"""What a call raises when the server will not have us: to try again is of no use."""
TAKES_NOTHING = {
    "OOM": "it is full",
    "MISCONF": "it cannot write to its disk",
    "READONLY": "it may only be read",
    "LOADING": "it still loads what it has",
    "BUSY": "a script keeps it busy",
    "CLUSTERDOWN": "its cluster is down",
    "MASTERDOWN": "its master is down",
    "NOREPLICAS": "it lacks replicas",
    "TRYAGAIN": "its slots are moved",
    "UNBLOCKED": "it changed its role",
}
"""The codes of a server that is there and takes nothing for now, and what they say."""


class BusError(ScannerKitError):
    """The server cannot be reached, or refuses us."""


@dataclass(frozen=True)
class Bus:
    """A server and a prefix on it. `how` says whose server it is: configured, private, or demo.

    `redis` serves any number of threads; a reader that blocks takes its connection from the same pool.
    """

    redis: Redis = field(repr=False)
    keys: Keys
    url: str = ""
    how: str = "configured"

    def close(self) -> None:
        """Close every connection."""
        self.redis.close()

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(url: str, prefix: str = "scanner", *, how: str = "configured", check: bool = True) -> Bus:
    """Connect to the server of a URL: `redis://…`, `rediss://…`, or `unix://…` for a socket.

    Raises
    ------
    InvalidInput
        The URL is none, or names a database other than 0.
    BusError
        The server does not answer, or refuses us; the sentence names it, without its password.
    """
    keys, safe = Keys(prefix), redacted(url)
    try:
        options: dict[str, Any] = dict(redis.ConnectionPool.from_url(url).connection_kwargs)
    except (ValueError, redis.RedisError):
        raise InvalidInput(
            f"A bus has an address like redis://host:6379 or unix:///path/to/r.sock; found {safe!r}. "
            "See SCANNER_KIT_REDIS_URL."
        ) from None
    if options.get("db"):
        raise InvalidInput(
            f"The bus uses no database numbers; found {safe!r} with number {options['db']}. "
            "Leave it out, and choose a prefix of your own instead."
        )
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=FREE_SECONDS,
        protocol=2,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        **({} if url.startswith("unix") else {"socket_keepalive": True}),
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    bus = Bus(Redis.from_pool(pool), keys, safe, how)
    if check:
        _answers(bus)
    return bus


def redacted(url: str) -> str:
    """The URL without its password, wherever that stands in it.

    >>> redacted("redis://desk:secret@10.0.0.7:6379"), redacted("unix:///run/r.sock?password=secret")
    ('redis://desk:***@10.0.0.7:6379', 'unix:///run/r.sock?password=***')
    """
    without = re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", url)
    return re.sub(r"(?<=[?&]password=)[^&]*", "***", without)


def reason_of(fault: redis.RedisError) -> str | None:
    """Why a server takes nothing for now, or cannot be reached; None for a fault that no waiting mends.

    >>> reason_of(redis.OutOfMemoryError("command not allowed", status_code="OOM"))
    'it is full'
    """
    if isinstance(fault, REFUSED):
        return None
    known = TAKES_NOTHING.get(fault.status_code or str(fault).partition(" ")[0])
    if known:
        return known
    lost = isinstance(fault, redis.ConnectionError | redis.TimeoutError)
    return f"it cannot be reached: {fault}" if lost else None


def persist(work: Callable[[], T], over: threading.Event, *, what: str = "the bus") -> T | None:
    """Do what may safely be done twice, again and again until the bus takes it; None once `over` is set.

    The first failure and the recovery are logged, not every try.

    Raises
    ------
    BusError
        The server refuses us.
    redis.RedisError
        The work is wrong: what the server says of it no waiting mends.
    """
    wait, lost = 0.05, 0.0
    while not over.is_set():
        try:
            result = work()
        except redis.RedisError as fault:
            reason = reason_of(fault)
            if isinstance(fault, REFUSED):
                raise BusError(f"The server of {what} refuses us: {fault}. Mend SCANNER_KIT_REDIS_URL.") from fault
            if reason is None:
                raise
            if not lost:
                log.warning("%s: nothing is taken: %s", what, reason)
                lost = time.monotonic()
            over.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        else:
            if lost:
                log.warning("%s: back after %.1f s", what, time.monotonic() - lost)
            return result
    return None


@contextmanager
def once() -> Iterator[list[str]]:
    """A block that is left where the server takes nothing for now; the reason is then in the list.

    What no waiting mends is raised.
    """
    reasons: list[str] = []
    try:
        yield reasons
    except redis.RedisError as fault:
        reason = reason_of(fault)
        if reason is None:
            raise
        reasons.append(reason)


def _answers(bus: Bus) -> None:
    try:
        bus.redis.ping()
    except redis.RedisError as fault:
        if fault.status_code == "LOADING" or str(fault).startswith("MISCONF"):
            return  # it is there: whoever works with it waits, and health says what for
        bus.close()
        raise BusError(
            f"The bus at {bus.url} does not answer: {str(fault).rstrip('.')}. Start it, or mend SCANNER_KIT_REDIS_URL."
        ) from None
