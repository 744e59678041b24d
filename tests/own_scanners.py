"""A scanner of a user's own, as settings name it: `own_scanners:Falling`."""

from typing import Any

import param

from scanner_kit import metrics as m
from scanner_kit.scanner import Scanner


class Falling(Scanner):
    """Falls below its open."""

    min_fall = param.Number(1.0, bounds=(0, 100), doc="Percent below the open.")

    change = m.ChangePct()

    def select(self, now: Any) -> Any:
        return [now[self.change] <= -self.min_fall]

    def rank(self, now: Any) -> Any:
        return now[self.change]
