"""The metrics: every number of a symbol that the kit knows, one definition and one home each.

>>> from scanner_kit import metrics as m
>>> m.by_name("change_5m_pct")
ChangeOverPct()
>>> len(m.ALL)
67
"""

from scanner_kit.errors import UnknownName
from scanner_kit.metrics.activity import Halt, MinutesSinceTrade, SpreadPct
from scanner_kit.metrics.base import Level, Metric, Moment, State
from scanner_kit.metrics.levels import (
    Fact,
    HighOfDay,
    HodDistancePct,
    LodDistancePct,
    LowOfDay,
    MinutesSinceHod,
    MinutesSinceLod,
    OpeningRangeHigh,
    OpeningRangeLow,
    PremarketHigh,
    PremarketLow,
    RecentHigh,
    RecentLow,
    RthHigh,
    RthLow,
)
from scanner_kit.metrics.momentum import AtrMinute, MinutesBeyond, Rsi
from scanner_kit.metrics.price import (
    ChangeDollars,
    ChangeOverPct,
    ChangePct,
    FromOpenPct,
    GapDollars,
    GapPct,
    Last,
    PostGapPct,
    PremarketGapPct,
    RthOpen,
)
from scanner_kit.metrics.reported import Reported
from scanner_kit.metrics.volume import (
    DayDollarVolume,
    DayVolume,
    DollarVolume,
    FloatRotation,
    RelativeVolume,
    RvolDay,
    Surge,
    Volume,
    Vwap,
    VwapDistancePct,
    VwapRth,
)

CHANGE_MINUTES = (1, 2, 3, 5, 10, 15, 30, 60)
OPENING_RANGES = (5, 15, 30)
EXTREME_MINUTES = (5, 15, 30, 60)
VOLUME_MINUTES = (1, 5, 15, 30, 60)

ALL: tuple[Metric, ...] = (
    Last(),
    ChangePct(),
    GapPct(),
    PremarketGapPct(),
    GapDollars(),
    ChangeDollars(),
    RthOpen(),
    FromOpenPct(),
    PostGapPct(),
    *(ChangeOverPct(minutes=n) for n in CHANGE_MINUTES),
    HighOfDay(),
    LowOfDay(),
    MinutesSinceHod(),
    MinutesSinceLod(),
    RthHigh(),
    RthLow(),
    HodDistancePct(),
    LodDistancePct(),
    PremarketHigh(),
    PremarketLow(),
    *(high(minutes=n) for n in OPENING_RANGES for high in (OpeningRangeHigh, OpeningRangeLow)),
    *(high(minutes=n) for n in EXTREME_MINUTES for high in (RecentHigh, RecentLow)),
    Vwap(),
    VwapRth(),
    VwapDistancePct(),
    *(Volume(minutes=n) for n in VOLUME_MINUTES),
    DayVolume(),
    *(DollarVolume(minutes=n) for n in VOLUME_MINUTES),
    DayDollarVolume(),
    RelativeVolume(),
    RelativeVolume(minutes=1),
    RelativeVolume(minutes=5),
    Surge(minutes=1),
    Surge(minutes=5),
    RvolDay(),
    FloatRotation(),
    Rsi(),
    AtrMinute(),
    MinutesSinceTrade(),
    Halt(),
)
"""Every metric of the definitions, in their order."""


def by_name(name: str) -> Metric:
    """The metric of that name; `UnknownName` if there is none."""
    known = {metric.name: metric for metric in ALL}
    if name not in known:
        raise UnknownName.of("There is no metric", name, known)
    return known[name]


__all__ = [
    "ALL",
    "AtrMinute",
    "ChangeDollars",
    "ChangeOverPct",
    "ChangePct",
    "DayDollarVolume",
    "DayVolume",
    "DollarVolume",
    "Fact",
    "FloatRotation",
    "FromOpenPct",
    "GapDollars",
    "GapPct",
    "Halt",
    "HighOfDay",
    "HodDistancePct",
    "Last",
    "Level",
    "LodDistancePct",
    "LowOfDay",
    "Metric",
    "MinutesBeyond",
    "MinutesSinceHod",
    "MinutesSinceLod",
    "MinutesSinceTrade",
    "Moment",
    "OpeningRangeHigh",
    "OpeningRangeLow",
    "PostGapPct",
    "PremarketGapPct",
    "PremarketHigh",
    "PremarketLow",
    "RecentHigh",
    "RecentLow",
    "RelativeVolume",
    "Reported",
    "Rsi",
    "RthHigh",
    "RthLow",
    "RthOpen",
    "RvolDay",
    "SpreadPct",
    "State",
    "Surge",
    "Volume",
    "Vwap",
    "VwapDistancePct",
    "VwapRth",
    "by_name",
]
