"""Changing the settings while a desk runs: the store is the truth, and the tape says from which step on it holds.

1. A change is checked as a whole, and is a new version of the store in one transaction; a stale one is refused.
2. It is put on the tape of the day under its number, and is in force from the next step on, in every reader alike.
3. Where the bus cannot be reached, or whoever changed it ends before 2, the store's process puts it there: the tape
   itself says at which version it stands, and takes each number once. Where there is no bus, none is needed: a
   desk that starts has the last version.
4. A store that is new to a day that runs takes over where the tape stands, so that numbers go on.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from scanner_kit.bars import SettingsChange
from scanner_kit.bus.connection import Bus, BusError
from scanner_kit.bus.entries import events_of
from scanner_kit.bus.tape import TapeLost, TapeReader, TapeWriter, current_day
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput
from scanner_kit.live.rosters import roster_of
from scanner_kit.settings import Settings, Thresholds
from scanner_kit.store import Store, Version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeskSettings:
    """The settings of a desk, in versions.

    Parameters
    ----------
    store
        Has every version.
    bus
        Carries the tape; None where no desk runs.
    own
        The user's own scanners, as `module:Scanner`.
    """

    store: Store
    bus: Bus | None
    own: Sequence[str] = ()

    def roster(self, version: int) -> Sequence[AnyScanner]:
        """The scanners under a version of the settings."""
        return roster_of(self.store.versions.get(version).thresholds, self.own)[0]

    def change(self, base: int, values: Thresholds, who: str, why: str = "") -> Version:
        """Change thresholds of version `base`; gives the version that is in force from the next step on.

        Raises
        ------
        InvalidInput
            The settings would not be as they should; `StaleEdit` where others changed them meanwhile.
        StoreError
            The store cannot take it.
        """
        given = self._settings(values).thresholds
        return self._relayed(self.store.versions.change(base, given, who, why, check=self.check))

    def bring_back(self, n: int, who: str, why: str = "", *, base: int | None = None) -> Version:
        """Put the settings of version `n` in force again, as a new version; with `base`, only while that is."""
        return self._relayed(self.store.versions.bring_back(n, who, why, base=base, check=self.check))

    def take_file(self, settings: Settings, who: str, why: str = "") -> Version:
        """Put the thresholds of a settings file in force, where it says something else than the last time."""
        return self._relayed(self.store.versions.take_file(settings.thresholds, who, why, check=self.check))

    def check(self, thresholds: Thresholds) -> None:
        """`InvalidInput` where the scanners cannot have these thresholds, all together."""
        self._settings(thresholds)
        wrong = roster_of(thresholds, self.own)[1]
        refused = next((wrong[what] for name in thresholds if (what := f"thresholds of {name}") in wrong), None)
        if refused is not None:
            missing = [said for what, said in wrong.items() if what.startswith("scanner ")]
            raise InvalidInput(" ".join([refused, *missing]))

    def put_on_tape(self, clock: Callable[[], float] = time.time) -> int:
        """Put on the tape of the day what it lacks of the settings; gives how many versions. Nothing without a tape."""
        day = None if self.bus is None else current_day(self.bus)
        if self.bus is None or day is None:
            return 0
        stands: Any = self.bus.redis.hget(self.bus.keys.writers(day.date), "settings")
        if stands is None:
            return 0
        if int(stands) > self.store.versions.now().n:
            self._take_over(TapeReader(self.bus, day), int(stands))
        lacking = self.store.versions.after(int(stands))
        writer = TapeWriter(self.bus, day, "settings")
        for version in lacking:
            writer.settings(self.event_of(version), clock())
        return len(lacking)

    def event_of(self, version: Version) -> SettingsChange:
        """What a version changed, as the tape has it: with its default, what was set before and is no more."""
        defaults = {scanner.name: scanner.settings() for scanner in roster_of({}, self.own)[0]}
        values: dict[str, dict[str, Any]] = {}
        for one in version.changes:
            scanner, threshold = one["scanner"], one["threshold"]
            if "after" in one or threshold in defaults.get(scanner, {}):  # else the scanner itself is no more
                value = one["after"] if "after" in one else defaults[scanner][threshold]
                values.setdefault(scanner, {})[threshold] = value
        return SettingsChange.of(**values).numbered(version.n)

    def _settings(self, thresholds: Thresholds) -> Settings:
        return Settings.of({"scanners": thresholds, "live": {"scanners": list(self.own)}})

    def _relayed(self, version: Version) -> Version:
        try:
            self.put_on_tape()
        except TapeLost:  # the next one begins with it
            pass
        except (redis.RedisError, BusError) as fault:
            log.warning(
                "a version of the settings is not on the tape yet, the store's process puts it there: %s", fault
            )
        return version

    def _take_over(self, tape: TapeReader, n: int) -> None:
        """Have what is in force on the tape as version `n`: another store was used before."""
        thresholds = {name: dict(values) for name, values in tape.head().thresholds.items()}
        for _, fields in tape.raw():
            for event in events_of(fields):
                if isinstance(event, SettingsChange):
                    for name, values in event.values:
                        thresholds.setdefault(name, {}).update(values)
        self.store.versions.take_over(n, thresholds, "store", f"as the tape of {tape.day.date} has it")
        log.warning(
            "the store was behind the tape of %s: it has taken over version %d of the settings", tape.day.date, n
        )
