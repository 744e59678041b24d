"""Options that several commands take, each said once: what the bars are, how they are played, who scans and shows them.

A command takes such a group as one parameter; `spelled_out` offers it on the command line option by option. Nothing
heavy is imported before something is made of them.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from scanner_kit.errors import InvalidInput, port_refused

if TYPE_CHECKING:
    import datetime as dt

    from scanner_kit.live.feed.feeds import Feed
    from scanner_kit.replay import Source
    from scanner_kit.scanner import Scanner
    from scanner_kit.settings import Settings
    from scanner_kit.sources.tape import TapeSource

FOUR_O_CLOCK, MINUTES = 240, 960
Daily = Annotated[
    Path | None,
    typer.Option("--daily", metavar="FILE", help="Daily rows; without them they are derived from the bars."),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="Settings in TOML; else those that SCANNER_KIT_SETTINGS names."),
]


@dataclass(frozen=True)
class SourceOptions:
    """What stands beside the bars, and what they are."""

    daily: Daily = None
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="What symbols are: market cap, float, sector, …")
    ] = None
    fills: Annotated[
        bool, typer.Option("--fills", help="The source fills empty minutes with flat bars: drop those.")
    ] = False
    share_of_market: Annotated[
        float,
        typer.Option("--share-of-market", metavar="X", help="The part of all volume that the source sees; IEX: 0.03."),
    ] = 1.0
    daily_same_source: Annotated[
        bool, typer.Option("--daily-same-source", help="The daily rows' volume is the minute bars' own.")
    ] = False

    def over(self, bars: Sequence[Path]) -> "TapeSource":
        """The source of one or several files of bars."""
        from scanner_kit.sources.tape import TapeSource

        return TapeSource(bars[0] if len(bars) == 1 else list(bars), **vars(self))

    def replayed(self, bars: Sequence[Path], roster: "RosterOptions", scanners: "Sequence[Scanner]") -> "Source":
        """The source of a replay: of archived days as they stood, settings and all, unless others are given."""
        from scanner_kit.live.replaying import ArchivedDays

        if self != SourceOptions():
            return self.over(bars)
        names = [scanner.name for scanner in scanners]
        return ArchivedDays.among(bars, names, history=not roster.gives_thresholds) or self.over(bars)


@dataclass(frozen=True)
class RosterOptions:
    """Which scanners, under which thresholds."""

    scanners: Annotated[
        str | None, typer.Option("--scanners", metavar="A,B", help="Only these scanners and lists.")
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SCANNER.THRESHOLD=VALUE…",
            help="A threshold: hod_break.min_rvol=2.5, hot.top=10, winners.max_price=none.",
        ),
    ] = None
    settings: SettingsFile = None

    @property
    def gives_thresholds(self) -> bool:
        """Whether thresholds are given."""
        return bool(self.set_ or self.settings)

    def roster(self) -> "list[Scanner]":
        """The scanners; `InvalidInput` for a name or a threshold that there is not."""
        from scanner_kit.settings import thresholds_of

        chosen = None if self.scanners is None else [name.strip() for name in self.scanners.split(",") if name.strip()]
        if chosen is not None and not chosen:
            raise InvalidInput(
                f"--scanners names scanners, like hod_break,hot; found {self.scanners!r}. Leave it out for all."
            )
        return settings_in(self.settings).changed(thresholds_of(self.set_ or ())).roster(chosen)


@dataclass(frozen=True)
class MarketOptions:
    """What an ingest reads, and at what pace."""

    source: Annotated[
        str, typer.Option("--source", metavar="S", help="simulated, tape:FILE[,FILE…], or redis: the desk's inbox.")
    ] = "simulated"
    symbols: Annotated[
        int, typer.Option("--symbols", metavar="N", min=1, max=20_000, help="Symbols of the simulated market.")
    ] = 500
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the simulated market.")] = 7
    speed: Annotated[
        float,
        typer.Option("--speed", metavar="X", min=0.1, help="Times as fast as the clock, of days that are played."),
    ] = 60.0
    day: Annotated[str | None, typer.Option("--day", metavar="D", help="The day to begin with, like 2025-01-27.")] = (
        None
    )
    start: Annotated[
        str, typer.Option("--start", metavar="HH:MM", help="What comes before, New York time, is played at once.")
    ] = "09:20"
    forming: Annotated[
        float,
        typer.Option("--forming", metavar="S", min=0, help="Show the minute so far every S seconds; 0 for never."),
    ] = 5.0

    def words(self) -> list[str]:
        """The options as a command takes them."""
        return words_of(self)

    @property
    def start_k(self) -> int:
        """The minute before which everything is played at once."""
        import datetime as dt

        try:
            at = dt.datetime.strptime(self.start, "%H:%M")
        except ValueError:
            at = dt.datetime.min
        k = 60 * at.hour + at.minute - FOUR_O_CLOCK
        if not 0 <= k < MINUTES:
            raise InvalidInput(f"--start is a time from 04:00 to 19:59 New York; found {self.start!r}. Try 09:20.")
        return k

    def feed(self, bars: SourceOptions, archive: Path | None = None) -> "Feed":
        """The feed; `InvalidInput` for a source that there is not. `archive` is where a live one has its past."""
        from scanner_kit.calendar import TradingDay
        from scanner_kit.live.archive import Archive
        from scanner_kit.live.feed.feeds import FileFeed, SimulatedFeed
        from scanner_kit.live.feed.listening import InboxFeed
        from scanner_kit.sources.simulated import SimulatedMarket

        kind, colon, files = self.source.partition(":")
        if kind == "simulated" and not colon:
            day = {} if self.day is None else {"day": self._first}
            return SimulatedFeed(SimulatedMarket(symbols=self.symbols, seed=self.seed, **day))
        if kind == "tape" and files:
            paths = [Path(path) for path in files.split(",")]
            return FileFeed(bars.over(paths), self._first, source=f"tape: {files}")
        if kind == "redis" and not colon:
            past = None if archive is None else Archive(archive)
            only = None if self._first is None else TradingDay.of(self._first)
            return InboxFeed(past, day=only, ordered=only is not None, **vars(bars))
        raise InvalidInput(
            f"--source is simulated, tape:FILE[,FILE…] or redis; found {self.source!r}. Write one of these."
        )

    def checked(self, bars: SourceOptions, archive: Path) -> "Feed":
        """The feed, of which it is said now, and not when its day begins, that it knows no symbol of it."""
        feed = self.feed(bars, archive)
        if self.source == "redis":
            feed.universe(next(iter(feed.days())))
        return feed

    @property
    def _first(self) -> "dt.date | None":
        from scanner_kit.calendar import TradingDay

        return None if self.day is None else TradingDay.of(self.day).date


@dataclass(frozen=True)
class PageOptions:
    """Where the pages are served."""

    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65_535, help="Port of the pages; 0 takes a free one.")
    ] = 5006
    address: Annotated[str, typer.Option("--address", metavar="A", help="Address to listen at.")] = "127.0.0.1"
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="HOST:PORT", help="Where else browsers may come from, again for several."),
    ] = None

    def check(self) -> None:
        """`InvalidInput` where somebody else listens at the port."""
        import socket

        try:
            with socket.create_server((self.address, self.port)):
                pass
        except OSError as fault:
            raise port_refused(self.port, self.address, fault) from None

    def words(self) -> list[str]:
        """The options as a command takes them."""
        told = [f"--port={self.port}", f"--address={self.address}"]
        return [*told, *(f"--origin={origin}" for origin in self.origin or ())]


def settings_in(path: Path | None) -> "Settings":
    """The settings of a file, else those of the environment."""
    from scanner_kit.settings import read_settings

    return read_settings(path)


def words_of(options: Any) -> list[str]:
    """A group of options as a command takes them.

    >>> words_of(SourceOptions(fills=True, share_of_market=0.03))
    ['--fills', '--share-of-market=0.03']
    """
    told = {name.replace("_", "-"): value for name, value in vars(options).items() if value not in (None, False)}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in told.items()]


def spelled_out(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer reads it: each option of a group stands where the group does."""
    taken = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {one.name: one.annotation for one in taken if is_dataclass(one.annotation)}

    @wraps(command)
    def run(**given: Any) -> None:
        made = {name: group(**{f.name: given.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**given, **made)

    spelled = [part for one in taken for part in (_options(one.annotation) if one.name in groups else [one])]
    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in spelled]
    run.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in spelled}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=kinds[f.name])
        for f in fields(group)
    ]
