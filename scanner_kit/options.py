"""Options that several commands take, each said once: what the bars are, and which scanners look at them.

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

from scanner_kit.errors import InvalidInput

if TYPE_CHECKING:
    from scanner_kit.scanner import Scanner
    from scanner_kit.settings import Settings
    from scanner_kit.sources.tape import TapeSource

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

    def roster(self) -> "list[Scanner]":
        """The scanners; `InvalidInput` for a name or a threshold that there is not."""
        from scanner_kit.settings import thresholds_of

        chosen = None if self.scanners is None else [name.strip() for name in self.scanners.split(",") if name.strip()]
        if chosen is not None and not chosen:
            raise InvalidInput(
                f"--scanners names scanners, like hod_break,hot; found {self.scanners!r}. Leave it out for all."
            )
        return settings_in(self.settings).changed(thresholds_of(self.set_ or ())).roster(chosen)


def settings_in(path: Path | None) -> "Settings":
    """The settings of a file, else those of the environment."""
    from scanner_kit.settings import read_settings

    return read_settings(path)


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
