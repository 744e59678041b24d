"""What belongs to one browser's session, and how it is let go when the session ends."""

import asyncio
import sys
from typing import Any

import panel as pn
from panel_material_ui.template.base import Page
from tornado.ioloop import IOLoop


def served() -> bool:
    """Whether this is a session of a server, and not a notebook cell."""
    return pn.state.curdoc is not None and pn.state.curdoc.session_context is not None


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of a notebook's kernel; None on a server and in a plain script.

    All that is said to a notebook is said from there. A message goes in several parts, and two threads, such as the
    engine's and the one in which JupyterLab has questions answered, would mix theirs.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if served() or getattr(shell, "kernel", None) is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def page(**params: Any) -> Any:
    """A page of this session, of which nothing stays behind.

    Panel-material-ui has every page follow whether any session of the process is busy, and so one session's work would
    write into the pages of all others: ours show nothing of it, and do not follow it. Panel keeps the views of a page's
    toasts: they are removed with the session.
    """
    before = {id(watcher) for watcher in _busy_watchers()}
    made = Page(**params)
    for watcher in _busy_watchers():
        if id(watcher) not in before:
            pn.state.param.unwatch(watcher)

    def end(session_context: Any) -> None:
        IOLoop.current().call_later(1.0, _sweep, session_context._document)

    pn.state.on_session_destroyed(end)
    return made


def _busy_watchers() -> list[Any]:
    watchers: list[Any] = pn.state.param.watchers.get("busy", {}).get("value", [])
    return list(watchers)


def _sweep(document: Any) -> None:
    for ref, (_, _, owner, _) in list(pn.state._views.items()):
        if owner is document:
            pn.state._views.pop(ref, None)
