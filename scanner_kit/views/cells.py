"""What is said to a notebook's cell: nothing before its screens are drawn, then what has waited, one message at a time.

Panel opens a cell's channel while the browser is still drawing. The parts of a message that come before there is
anything to bring up to date are dropped one by one, and what is left of it puts all that follows out of step.
"""

import threading
from typing import Any
from weakref import WeakKeyDictionary

from panel.io import notebook
from panel.io.state import state
from pyviz_comms import JupyterComm

messages: Any = notebook
_waiting: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()
"""Documents of cells that are being drawn: what is to be said to them."""
_one_at_a_time = threading.RLock()
"""Panel sends a message in parts, and JupyterLab has a cell's messages answered in a thread beside the kernel's."""


def take_over() -> None:
    """Have Panel say to cells what is said to them in this way; once is enough."""
    diff, send = messages.diff, messages.send
    if getattr(send, "whole", False):
        return

    def diff_of_drawn(doc: Any, *args: Any, **options: Any) -> Any:
        message = diff(doc, *args, **options)
        with _one_at_a_time:
            if message is None or doc not in _waiting:
                return message
            _waiting[doc].append(message)
        return None

    def send_whole(*args: Any) -> None:
        with _one_at_a_time:
            send(*args)

    send_whole.whole = True  # type: ignore[attr-defined]
    messages.diff, messages.send = diff_of_drawn, send_whole


def await_drawing(doc: Any, comm: Any) -> None:
    """A screen becomes part of a cell: until the browser speaks for one of the cell's screens, what is said waits."""
    if isinstance(comm, JupyterComm) and not comm._comm:
        take_over()
        _waiting.setdefault(doc, [])


def drawn(doc: Any) -> None:
    """The browser has spoken for a screen of the cell: what has waited is said."""
    with _one_at_a_time:
        waited = _waiting.get(doc, [])
        for comm in [comm for _, _, owner, comm in list(state._views.values()) if waited and owner is doc]:
            for message in waited:
                messages.send(comm, message)
        _waiting.pop(doc, None)
