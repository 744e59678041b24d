"""Changing the settings while a desk runs: the store is the truth, and the tape says from which step on it holds.

1. A change is checked as a whole, and is a new version of the store in one transaction; a stale one is refused.
2. It is put on the tape of the day under its number, and is in force from the next step on, in every reader alike.
3. Where the bus cannot be reached, or whoever changed it ends before 2, the store's process puts it there: the tape
   itself says at which version it stands, and takes each number once. Where there is no bus, none is needed: a
   desk that starts has the last version.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import redis

from scanner_kit import scanners
from scanner_kit.bars import SettingsChange
from scanner_kit.bus.connection import Bus, BusError
from scanner_kit.bus.tape import TapeLost, TapeWriter, current_day
from scanner_kit.settings import Settings, Thresholds
from scanner_kit.store import Store, Version

log = logging.getLogger(__name__)


def change(store: Store, bus: Bus | None, base: int, values: Thresholds, who: str, why: str = "") -> Version:
    """Change thresholds of version `base`; gives the version that is in force from the next step on.

    Raises
    ------
    InvalidInput
        The settings would not be as they should; `StaleEdit` where others changed them meanwhile.
    StoreError
        The store cannot take it.
    """
    given = Settings.of({"scanners": values}).thresholds
    version = store.versions.change(base, given, who, why, check=check)
    _put_now(store, bus)
    return version


def bring_back(store: Store, bus: Bus | None, n: int, who: str, why: str = "", *, base: int | None = None) -> Version:
    """Put the settings of version `n` in force again, as a new version; with `base`, only while that is in force."""
    version = store.versions.bring_back(n, who, why, base=base, check=check)
    _put_now(store, bus)
    return version


def take_file(store: Store, bus: Bus | None, settings: Settings, who: str, why: str = "") -> Version:
    """Put the thresholds of a settings file in force, where it says something else than the last time."""
    version = store.versions.take_file(settings.thresholds, who, why, check=check)
    _put_now(store, bus)
    return version


def check(thresholds: Thresholds) -> None:
    """`InvalidInput` where the built-in scanners cannot have these thresholds, all together."""
    Settings.of({"scanners": thresholds}).roster()


def put_on_tape(store: Store, bus: Bus, clock: Callable[[], float] = time.time) -> int:
    """Put on the tape of the day what it lacks of the settings; gives how many versions. Nothing without a tape."""
    day = current_day(bus)
    stands: Any = None if day is None else bus.redis.hget(bus.keys.writers(day.date), "settings")
    if day is None or stands is None:
        return 0
    lacking = store.versions.after(int(stands))
    writer = TapeWriter(bus, day, "settings")
    for version in lacking:
        writer.settings(event_of(version), clock())
    return len(lacking)


def event_of(version: Version) -> SettingsChange:
    """What a version changed, as the tape has it: with its default, what was set before and is no more."""
    values: dict[str, dict[str, Any]] = {}
    for one in version.changes:
        scanner, threshold = one["scanner"], one["threshold"]
        value = one["after"] if "after" in one else _default(scanner, threshold)
        values.setdefault(scanner, {})[threshold] = value
    return SettingsChange.of(**values).numbered(version.n)


def _default(scanner: str, threshold: str) -> Any:
    return scanners.roster([scanner])[0].settings()[threshold]


def _put_now(store: Store, bus: Bus | None) -> None:
    if bus is None:
        return
    try:
        put_on_tape(store, bus)
    except TapeLost:  # the next one begins with it
        return
    except (redis.RedisError, BusError) as fault:
        log.warning("a version of the settings is not on the tape yet, the store's process puts it there: %s", fault)
