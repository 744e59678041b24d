"""What is said to a cell while it is drawn waits, and is said in order when the browser has spoken."""

import json
from typing import Any

import panel as pn
import pytest
from bokeh.document import Document
from panel.models.esm import DataEvent
from pyviz_comms import JupyterComm

from scanner_kit.views.component import Drawn


class Cell(JupyterComm):  # type: ignore[misc]
    """A cell's channel that keeps what is sent, opened by the browser as Panel has it opened: while it draws."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def init(self) -> None:
        self._comm = self

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = ()) -> None:
        self.sent.append(data)

    def values(self) -> list[Any]:
        """The values of `shown` that came, of messages that came whole: header, metadata, content."""
        assert len(self.sent) % 3 == 0
        events = [event for content in self.sent[2::3] for event in json.loads(content)["events"]]
        found = [event["new"] for event in events if event.get("attr") == "shown"]
        return [one for one in found if one]


def displayed(viewable: Any) -> tuple[Cell, Document]:
    cell, doc = Cell(), Document()
    viewable._render_model(doc, cell)
    doc.hold()
    cell.init()
    return cell, doc


def speak(screen: Any, doc: Document, message: Any) -> None:
    """The browser says something for a screen of a cell."""
    model = next(model for model, _ in screen._models.values() if model.document is doc)
    screen._process_event(DataEvent(model, message))


def test_nothing_is_said_to_a_cell_before_the_browser_has_spoken_and_then_all_of_it_in_order() -> None:
    screen = Drawn(shown="asking")
    cell, doc = displayed(pn.Column(screen))
    screen.shown = "one"
    screen.shown = "two"
    assert cell.sent == []
    speak(screen, doc, {"there": True})
    screen.shown = "three"
    assert cell.values() == ["one", "two", "three"]
    assert screen.heard == 1


def test_of_two_cells_that_show_one_screen_each_waits_for_its_own_browser() -> None:
    screen = Drawn()
    first, doc = displayed(screen)
    second, other = displayed(pn.Row(screen))
    speak(screen, doc, {"there": True})
    screen.shown = "one"
    assert (first.values(), second.sent) == (["one"], [])
    speak(screen, other, {"there": True})
    assert second.values() == ["one"]


@pytest.mark.parametrize("late", [False, True])
def test_a_cell_of_others_things_waits_for_nobody(late: bool) -> None:
    slider = pn.widgets.FloatSlider(value=1.0, end=9.0)
    box = pn.Column(slider)
    cell, _ = displayed(box)
    if late:
        box.append(Drawn())
    before = len(cell.sent)
    slider.value = 2.0
    assert len(cell.sent) > before
