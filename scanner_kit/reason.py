"""A reason: what one condition says of one symbol, in figures and in words."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One condition for one symbol: what was compared with what, by how much it holds or fails, and what was not known.

    `holds` is None where it is unknown, and `unknown` then says why. `margin` is positive where it holds, in `unit`.
    """

    what: str
    op: str
    value: Any
    threshold: Any
    margin: float | None
    holds: bool | None
    unknown: str = ""
    unit: str = ""

    def __str__(self) -> str:
        verdict = {True: "yes", False: "no", None: f"unknown ({self.unknown})"}[self.holds]
        margin = "" if self.margin is None or self.holds is None else f", margin {self.margin:+.4g}"
        if not self.op:
            return f"{self.what}: {verdict}"
        return f"{self.what} {_told(self.value)} {self.op} {_told(self.threshold)}: {verdict}{margin}"


def _told(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
