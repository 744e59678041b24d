"""Sessions of the tuning lab come and go, and leave nothing behind."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import panel as pn
from bokeh.client import pull_session
from bokeh.document import Document
from loops import in_own_loop
from tornado.ioloop import IOLoop

import scanner_kit as sk
from benchmarks.report import alone
from benchmarks.serving import serving
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.lab import Lab
from scanner_kit.views.serve import extension
from scanner_kit.views.tuning import Bench

OF_A_SESSION = (Document, Bench, Lab, Answer)


@contextmanager
def served() -> Iterator[str]:
    history = sk.measure(sk.SimulatedMarket(symbols=20), 1, cache=False, progress=False)
    extension()
    page = {"/": lambda: sk.lab(history, sk.scanners.HodBreak(min_rvol=1), sk.scanners.LodBreak())}
    limits = {"unused_session_lifetime_milliseconds": 200, "check_unused_sessions_milliseconds": 100}
    with serving(lambda: pn.serve(page, port=0, threaded=True, show=False, **limits)) as address:
        yield address


def test_thirty_sessions_of_the_lab_leave_nothing_behind() -> None:
    alone(thirty_sessions_leave_nothing)  # in a process where no other test has left a lab


def thirty_sessions_leave_nothing() -> None:
    with served() as address:
        open_and_close(address, 2)
        until(lambda: left(Bench) == 0)
        before, busy = left(*OF_A_SESSION), watchers()
        open_and_close(address, 30)
        until(lambda: left(*OF_A_SESSION) <= before)
        assert (left(Bench, Lab, Answer), watchers()) == (0, busy)


def open_and_close(address: str, times: int) -> None:
    def visit() -> None:
        loop = IOLoop(make_current=False)
        session = pull_session(url=address, io_loop=loop)
        assert session.document.roots
        assert left(Bench) > 0
        session.close()
        loop.close(all_fds=True)

    for _ in range(times):
        in_own_loop(visit)


def watchers() -> int:
    """Who watches what is the whole process's."""
    return sum(len(these) for of in pn.state.param.watchers.values() for these in of.values())


def left(*kinds: type) -> int:
    gc.collect()
    return sum(isinstance(thing, kinds) for thing in gc.get_objects())


def until(done: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError("waited too long")
        time.sleep(0.05)
