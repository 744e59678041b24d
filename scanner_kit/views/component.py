"""What the screens are made of: a component of plain JavaScript that follows one channel of a feed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from scanner_kit.views import cells, session

ASSETS = Path(__file__).parent / "assets"


def asset(*names: str) -> str:
    """Files of the package's assets as one text; each component's module is one, for nothing is fetched from a page."""
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


class Screen(JSComponent):
    """A component that is brought up to date by one JSON text, and speaks back in small messages.

    `answers` maps the first word of a message to what takes its value; others are ignored.
    """

    delta = param.String("", doc="The latest message of the channel: the whole state, or what changed.")
    served = param.Boolean(True, doc="Whether a server shows it, and not a notebook's cell.")
    heard = param.Integer(0, doc="Grows when a browser has said that it is drawn.")

    _esm = "export function render() { return document.createElement('div') }"

    def __init__(self, *, answers: dict[str, Callable[[Any], None]] | None = None, **params: Any) -> None:
        super().__init__(**{"served": session.served(), **params})
        self._answers, self._loop = answers or {}, session.kernel_loop()

    def _get_model(self, doc: Any, root: Any = None, parent: Any = None, comm: Any = None) -> Any:
        cells.await_drawing(doc, comm)
        return super()._get_model(doc, root, parent, comm)

    def _process_event(self, event: Any) -> None:
        doc = event.model.document if event.model is not None else None
        if doc is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(cells.drawn, doc)
        elif doc is not None:
            cells.drawn(doc)
        super()._process_event(event)

    def _handle_msg(self, message: Any) -> None:
        if self._loop is None:
            self._answer(message)
        else:
            self._loop.call_soon_threadsafe(self._answer, message)

    def _answer(self, message: Any) -> None:
        # What a browser says is not to be trusted: only known words, each answer checks its value.
        if isinstance(message, dict):
            if "there" in message:
                self.heard += 1
            for word, value in message.items():
                if word in self._answers:
                    self._answers[word](value)


class Drawn(Screen):
    """A screen that is drawn from one JSON text, `shown`, rather than from a feed's channel."""

    shown = param.String("", doc="What it shows, as JSON.")
