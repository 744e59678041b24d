"""An event loop of a test's own, in a thread of its own: Playwright keeps one running in the thread of the tests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_own_loop(work: Callable[[], T]) -> T:
    """Do something in a thread whose loop is closed afterwards: asked for one, asyncio would make one for good."""

    def run() -> T:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return work()
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()
