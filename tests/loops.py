"""An event loop of a test's own: what asks for the thread's loop gets it, and it is closed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_loop() -> Iterator[None]:
    """Be the thread's loop until the block is left: asked for one where there is none, asyncio makes one for good."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
