"""Archived days as a replay takes them: under the settings that were in force, from step to step, or under others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scanner_kit.bars import Event, SettingsChange, Tape
from scanner_kit.calendar import DateLike, TradingDay
from scanner_kit.live.archive import Archive


@dataclass(frozen=True)
class ArchivedDays:
    """Days of a desk's archive, with the facts, late bars, halts and results that stood on their tapes.

    `scanners` are those that are replayed. With `history`, they have the thresholds that the desk had at the time, so
    that the same triggers come of them; without, those that they are given.
    """

    archive: Archive
    days: tuple[TradingDay, ...]
    scanners: Collection[str]
    history: bool = True

    @classmethod
    def among(cls, files: Sequence[Path], scanners: Collection[str], *, history: bool) -> "ArchivedDays | None":
        """The days of some files, or of one folder, where all of them are an archive's; None where they are not."""
        folder, whole = files[0] if files[0].is_dir() else files[0].parent, files[0].is_dir()
        there = Archive(folder)
        dates = [day for day in there.dates if there.rest(day).is_file() and (whole or there.bars(day) in files)]
        if not dates or (not whole and len(dates) < len(files)):
            return None
        return cls(there, tuple(map(TradingDay.of, dates)), scanners, history)

    @property
    def report(self) -> Mapping[str, int]:
        """What entry refused or mended: nothing, the tape had been checked."""
        return self.archive.report

    @property
    def seal(self) -> str:
        """A hash of the values of every day of the archive."""
        return self.archive.seal

    def tape(self, day: TradingDay | DateLike) -> Tape:
        """A day, with its changes of settings or without."""
        tape = self.archive.tape(day)
        events = {k: tuple(map(self._known, some)) for k, some in tape.events.items()}
        if self.history:
            head = SettingsChange.of(**{name: dict(of) for name, of in self.archive.head(day).thresholds.items()})
            events[0] = (self._known(head), *events.get(0, ()))
        return replace(tape, events={k: kept for k, some in events.items() if (kept := tuple(filter(_says, some)))})

    def _known(self, event: Event) -> Event:
        """The event; of a change of settings what concerns the scanners that are replayed."""
        if not isinstance(event, SettingsChange):
            return event
        return replace(event, values=tuple(one for one in event.values if self.history and one[0] in self.scanners))


def _says(event: Event) -> bool:
    return not isinstance(event, SettingsChange) or bool(event.values)
