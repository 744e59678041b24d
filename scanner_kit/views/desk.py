"""A board over a desk: what screens show of the scans, and ask of the engine."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scanner_kit.answers import explain, history
from scanner_kit.calendar import Session
from scanner_kit.engine import Scan
from scanner_kit.ranking import Row
from scanner_kit.run import Desk
from scanner_kit.triggers import Trigger
from scanner_kit.views.feed import LINK, Board


def board_over(desk: Callable[[], Desk], link: str = LINK) -> Board:
    """A board that asks whatever desk is at work at the time; a change of thresholds is shown once it is checked."""

    def change(scanner: str, values: dict[str, Any]) -> None:
        desk().change(scanner, values)
        board.configure(desk().coming)

    board = Board(
        desk().roster,
        on_change=change,
        explain=lambda symbol: explain(desk(), symbol),
        history=lambda symbol: history(desk(), symbol),
        closes=lambda symbols: desk().closes(symbols),
        label=desk().engine.universe.label,
        link=link,
    )
    return board


@dataclass(frozen=True)
class Listing:
    """A list with the figures that screens show."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Shown:
    """A scan as a board takes it."""

    day: dt.date
    k: int
    time: dt.datetime
    session: Session
    forming: bool
    lists: Mapping[str, Listing]
    triggers: Sequence[Trigger]


@dataclass(frozen=True)
class OnBoard:
    """The sink that puts scans on a board."""

    board: Board

    def publish(self, scan: Scan) -> None:
        """Put a scan on the board."""
        lists = {name: Listing(scan.rows(name)) for name in scan.lists}
        self.board.publish(Shown(scan.day, scan.k, scan.time, scan.session, scan.forming, lists, scan.triggers))
