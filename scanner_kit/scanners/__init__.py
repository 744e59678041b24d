"""The built-in scanners: eleven categories, the hot list, and every trigger scanner.

>>> from scanner_kit import scanners
>>> [scanner.name for scanner in scanners.roster(["hod_break", "hot"])]
['hod_break', 'hot']
"""

from collections.abc import Iterable

from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.naming import snake_case
from scanner_kit.scanner import Scanner
from scanner_kit.scanners.breaks import (
    Break,
    Breakout20d,
    GapAndGo,
    HodBreak,
    LodBreak,
    OrbBreakDown,
    OrbBreakUp,
    PdhBreak,
    PdlBreak,
    PmhBreak,
    PmlBreak,
)
from scanner_kit.scanners.categories import (
    Anomalies,
    Category,
    GappersDown,
    GappersUp,
    HighVolume,
    Losers,
    MomentumDown,
    MomentumUp,
    NewHighs,
    NewLows,
    Reversals,
    Winners,
)
from scanner_kit.scanners.hot import Hot
from scanner_kit.scanners.moves import HaltResume, Momentum, UnusualVolume, VwapLoss, VwapReclaim

CATEGORIES: tuple[type[Scanner], ...] = (
    GappersUp,
    GappersDown,
    MomentumUp,
    MomentumDown,
    Winners,
    Losers,
    Anomalies,
    HighVolume,
    NewHighs,
    NewLows,
    Reversals,
)
TRIGGERS: tuple[type[Scanner], ...] = (
    HodBreak,
    LodBreak,
    PmhBreak,
    PmlBreak,
    PdhBreak,
    PdlBreak,
    VwapReclaim,
    VwapLoss,
    OrbBreakUp,
    OrbBreakDown,
    GapAndGo,
    Momentum,
    UnusualVolume,
    Breakout20d,
    HaltResume,
)
ALL: tuple[type[Scanner], ...] = (Hot, *CATEGORIES, *TRIGGERS)
CLASSES: dict[str, type[Scanner]] = {snake_case(cls.__name__): cls for cls in ALL}


def roster(names: Iterable[str] | None = None) -> list[Scanner]:
    """The built-in scanners with their defaults, all of them or those named.

    `UnknownName` for one that there is not.
    """
    if isinstance(names, str):
        raise InvalidInput(f"A roster is of a list of names; found {names!r} alone. Write [{names!r}].")
    chosen = list(CLASSES) if names is None else list(names)
    for name in chosen:
        if name not in CLASSES:
            raise UnknownName.of("There is no scanner", name, CLASSES)
    return [CLASSES[name]() for name in chosen]


__all__ = [
    "CATEGORIES",
    "CLASSES",
    "TRIGGERS",
    "Anomalies",
    "Break",
    "Breakout20d",
    "Category",
    "GapAndGo",
    "GappersDown",
    "GappersUp",
    "HaltResume",
    "HighVolume",
    "HodBreak",
    "Hot",
    "LodBreak",
    "Losers",
    "Momentum",
    "MomentumDown",
    "MomentumUp",
    "NewHighs",
    "NewLows",
    "OrbBreakDown",
    "OrbBreakUp",
    "PdhBreak",
    "PdlBreak",
    "PmhBreak",
    "PmlBreak",
    "Reversals",
    "UnusualVolume",
    "VwapLoss",
    "VwapReclaim",
    "Winners",
    "roster",
]
