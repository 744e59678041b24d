"""Work that may come a moment later: in a thread, once nobody has asked for anything else for a while."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import panel as pn

log = logging.getLogger(__name__)
REST_SECONDS = 0.12


class Later:
    """Does the last thing that was asked for; what was asked for before it and has not begun is given up.

    Where no loop runs, as in a script, it is done at once.
    """

    def __init__(self, rest: float = REST_SECONDS) -> None:
        self._rest = rest
        self._task: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._doc = pn.state.curdoc

    def do(self, work: Callable[[], object], then: Callable[[], object]) -> None:
        """Work in a thread, and then, in the session's own turn, what follows from it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            work()
            then()
            return
        self.give_up()
        self._task = loop.create_task(self._do(work, then))

    def give_up(self) -> None:
        """Forget what has not begun."""
        if self._task is not None and not self._one_at_a_time.locked():
            self._task.cancel()

    async def _do(self, work: Callable[[], object], then: Callable[[], object]) -> None:
        await asyncio.sleep(self._rest)
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(work)
            except Exception as fault:
                log.exception("The random entries could not be drawn: %s", fault)
                return
        doc: Any = self._doc
        if doc is not None and doc.session_context is not None:
            doc.add_next_tick_callback(then)
        else:
            then()
