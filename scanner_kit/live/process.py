"""A process of the desk, seen from outside: how it is told to end, and what it says of itself.

SIGTERM and Ctrl-C set an event, and the work ends at its next turn. A process that was started by the supervisor ends
too when the supervisor is gone: it holds the other end of its standard input.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scanner_kit.errors import InvalidInput, ScannerKitError

ENDS = (signal.SIGTERM, signal.SIGINT)
FAULT = 70
"""The exit status of a process that ended by a fault, rather than because it was given something wrong."""
log = logging.getLogger("scanner_kit.live")


@contextmanager
def process(name: str, *, with_parent: bool = False) -> Iterator[threading.Event]:
    """Run a process's work: the event is set when it shall end. Its log goes to stderr, a line a happening.

    With `with_parent` it ends when its standard input does.

    Raises
    ------
    InvalidInput
        As the work raised it: it was given something wrong.
    SystemExit
        With the status `FAULT`, for any other error, which is logged: in a sentence where it is one of ours.
    """
    over = threading.Event()
    log_as(name)
    before = {one: signal.signal(one, lambda *_: over.set()) for one in ENDS}
    if with_parent:
        threading.Thread(target=until_alone, args=[over], daemon=True, name="scanner_kit parent").start()
    log.info("started, process %d", os.getpid())
    try:
        yield over
    except InvalidInput:
        raise
    except ScannerKitError as fault:
        log.error("ended by a fault: %s", fault)
        raise SystemExit(FAULT) from fault
    except Exception as fault:
        log.exception("ended by a fault")
        raise SystemExit(FAULT) from fault
    else:
        log.info("ended")
    finally:
        over.set()
        for one, handler in before.items():
            signal.signal(one, handler)


def log_as(name: str) -> None:
    """Log to stderr, each line with the time and the process's name."""
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s {name}: %(message)s", datefmt="%H:%M:%S", stream=sys.stderr, force=True
    )
    for noisy in ("bokeh", "tornado.access", "numba", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def until_alone(over: threading.Event) -> None:
    """Wait for the end of standard input, which comes when the parent is gone, however it went."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    over.set()


def told_status(status: int) -> str:
    """How a process ended, in words.

    >>> told_status(-9), told_status(70)
    ('signal 9', 'exit status 70')
    """
    return f"signal {-status}" if status < 0 else f"exit status {status}"
