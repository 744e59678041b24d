"""Steps to publish, made up: lists and triggers by hand, for tests of what carries them."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from scanner_kit.bus.connection import Bus
from scanner_kit.bus.lease import Lease
from scanner_kit.bus.plain import Announced
from scanner_kit.bus.publishing import Publisher
from scanner_kit.bus.steps import Step
from scanner_kit.calendar import Session
from scanner_kit.ranking import Published
from scanner_kit.triggers import Trigger

DAY = dt.date(2025, 1, 27)
BEGAN = dt.datetime(2025, 1, 27, 9, tzinfo=dt.UTC)


def trigger(symbol: str, k: int, day: dt.date = DAY) -> Trigger:
    """A trigger of a symbol in a minute."""
    known: dict[str, Any] = dict.fromkeys(("price", "level", "score", "stop", "distance", "shares"), 10.0)
    return Trigger(
        day=day,
        k=k,
        time=BEGAN + dt.timedelta(minutes=k + 1),
        session=Session.PRE,
        symbol=symbol,
        scanner="hod_break",
        kind="fired",
        side=1,
        severity=math.nan,
        rank=1,
        settings="abc",
        metrics={"last": 10.0},
        **known,
    )


def step(
    k: int,
    lists: Mapping[str, Mapping[str, float]] | None = None,
    fired: str = "",
    *,
    day: dt.date = DAY,
    forming: bool = False,
    due: float = 0.0,
) -> Step:
    """The step of a minute: the scores of each list, and the symbols of which something fired."""
    made = {"winners": {"NVDA": float(k)}} if lists is None else lists
    return Step(
        day,
        f"{1000 + k}-{int(forming)}",
        k,
        BEGAN + dt.timedelta(minutes=k + 1),
        Session.PRE,
        forming,
        0,
        {name: Published.of(name, {s: {"score": v} for s, v in rows.items()}) for name, rows in made.items()},
        tuple(Announced(trigger(symbol, k, day)) for symbol in fired.split()),
        due=due,
    )


def leading(bus: Bus, seconds: float = 60.0) -> Publisher:
    """A publisher that leads."""
    publisher = Publisher(bus, Lease(bus, seconds=seconds), clock=lambda: 0.0)
    assert publisher.lease.hold()
    publisher.take_over()
    return publisher
