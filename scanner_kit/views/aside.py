"""Questions that may take a while: answered in a thread, and of several only the last is of interest."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import panel as pn

from scanner_kit.errors import ScannerKitError
from scanner_kit.views import session

log = logging.getLogger(__name__)
T = TypeVar("T")


class Aside:
    """Asks one thing at a time for a session; the answer to what is no longer asked is dropped.

    In a plain script it is answered at once.
    """

    def __init__(self) -> None:
        self._doc: Any = pn.state.curdoc
        self._asked = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, work: Callable[[], T], then: Callable[[T], Any], fault: Callable[[str], Any]) -> None:
        """Have `work` done in a thread, and what follows from it in the session's own turn; or say what is wrong."""
        self._asked += 1
        asked = self._asked
        loop = asyncio.get_running_loop() if session.served() else session.kernel_loop()
        if loop is None:
            self._answer(asked, work, then, fault)()
            return
        task = loop.create_task(self._ask(asked, work, then, fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self) -> None:
        """Nobody waits any more for what was asked."""
        self._asked += 1

    async def _ask(
        self, asked: int, work: Callable[[], T], then: Callable[[T], Any], fault: Callable[[str], Any]
    ) -> None:
        answer = await asyncio.to_thread(self._answer, asked, work, then, fault)
        doc = self._doc
        if doc is None:
            answer()
        elif doc.session_context is not None:
            doc.add_next_tick_callback(answer)

    def _answer(
        self, asked: int, work: Callable[[], T], then: Callable[[T], Any], fault: Callable[[str], Any]
    ) -> Callable[[], None]:
        """Do the work here, and give what is left to do in the session's turn."""
        if asked != self._asked:
            return lambda: None
        try:
            found = work()
        except ScannerKitError as refusal:
            said = str(refusal)
        except Exception as broken:
            log.exception("A question of a page could not be answered: %s", broken)
            said = f"This could not be answered: {type(broken).__name__}: {broken}"
        else:
            return lambda: then(found) if asked == self._asked else None
        return lambda: fault(said) if asked == self._asked else None
