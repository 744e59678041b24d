"""What of the stored triggers is asked for; as a link carries it, and as one row answers to it."""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scanner_kit.errors import InvalidInput

ORDERS = {"newest": "Newest first", "oldest": "Oldest first", "severity": "Most severe first"}
OPS = (">=", "<=")
CONDITION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|≥|≤)\s*(-?[\d.]+(?:e-?\d+)?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """A metric that a trigger carries, and what it is at least or at most."""

    metric: str
    op: str
    value: float

    def __str__(self) -> str:
        return f"{self.metric}{self.op}{self.value:g}"

    @classmethod
    def of(cls, text: str) -> "Condition":
        """A condition as it is written.

        >>> Condition.of("rvol_tod >= 3")
        Condition(metric='rvol_tod', op='>=', value=3.0)
        """
        found = CONDITION.fullmatch(text)
        if found is None:
            raise InvalidInput(f"A metric is asked for as rvol_tod>=3 or rsi_14<=30; found {text!r}. Write it so.")
        metric, op, value = found.groups()
        return cls(metric, {"≥": ">=", "≤": "<="}.get(op, op), _number(value, "The value of a metric"))

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a trigger answers to it; the unknown does not."""
        value = row["metrics"].get(self.metric)
        if value is None:
            return False
        return bool(value >= self.value if self.op == ">=" else value <= self.value)


@dataclass(frozen=True)
class Asked:
    """Which triggers: of days from `first` to `last`, of some symbols and scanners, so severe, with such metrics.

    >>> asked = Asked.of({"days": "2025-01-27..2025-01-31", "symbol": "nvda", "metric": "rvol_tod>=3"})
    >>> asked.symbols, asked.first, asked.conditions[0].value
    (('NVDA',), datetime.date(2025, 1, 27), 3.0)
    >>> Asked.of(asked.query) == asked
    True
    """

    first: dt.date | None = None
    last: dt.date | None = None
    symbols: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    severity: float | None = None
    conditions: tuple[Condition, ...] = ()
    order: str = "newest"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """What the query of a link asks for; `InvalidInput` names what it cannot be."""
        given = {"first": None, "last": None, **_days(query.get("days", ""))}
        severity = query.get("severity", "").strip()
        order = query.get("order", "newest")
        if order not in ORDERS:
            raise InvalidInput(f"Triggers are asked for in the order {', '.join(ORDERS)}; found {order!r}. Choose one.")
        return cls(
            **given,
            symbols=_words(query.get("symbol", "").upper()),
            scanners=_words(query.get("scanner", "")),
            severity=_number(severity, "A severity") if severity else None,
            conditions=tuple(Condition.of(text) for text in _words(query.get("metric", ""))),
            order=order,
        )

    @property
    def query(self) -> dict[str, str]:
        """What a link has to carry: only what is not asked for by default."""
        told = {
            "days": _told(self.first, self.last),
            "symbol": ",".join(self.symbols),
            "scanner": ",".join(self.scanners),
            "severity": "" if self.severity is None else f"{self.severity:g}",
            "metric": ",".join(map(str, self.conditions)),
            "order": "" if self.order == "newest" else self.order,
        }
        return {name: text for name, text in told.items() if text}

    def changed(self, query: Mapping[str, str]) -> "Asked":
        """The same with some of it asked anew, as the query of a link would say it."""
        return Asked.of({**self.query, **query})

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a trigger is asked for."""
        day, severity = dt.date.fromisoformat(row["day"]), row.get("severity")
        return (
            (self.first is None or day >= self.first)
            and (self.last is None or day <= self.last)
            and (not self.symbols or row["symbol"] in self.symbols)
            and (not self.scanners or row["scanner"] in self.scanners)
            and (self.severity is None or (severity is not None and severity >= self.severity))
            and all(condition.holds(row) for condition in self.conditions)
        )

    def of_day(self, day: dt.date) -> "Asked":
        """All of one day, oldest first."""
        return replace(Asked(), first=day, last=day, order="oldest")


def _days(text: str) -> dict[str, dt.date | None]:
    if not text.strip():
        return {}
    first, dots, last = (part.strip() for part in text.partition(".."))
    try:
        days = [dt.date.fromisoformat(part) if part else None for part in (first, last if dots else first)]
    except ValueError:
        raise InvalidInput(
            f"Days are asked for as 2025-01-27 or 2025-01-27..2025-01-31; found {text!r}. Write them so."
        ) from None
    low, high = days
    if low and high and low > high:
        low, high = high, low
    return {"first": low, "last": high}


def _told(first: dt.date | None, last: dt.date | None) -> str:
    if first is None and last is None:
        return ""
    return str(first) if first == last else f"{first or ''}..{last or ''}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"{what} is a number; found {text!r}. Write digits, a point for decimals.")
    return value
