"""The command line: `scanner-kit demo`, `replay`, `why`, `certify`, `scanners` and `metrics`; of a desk, `operating`.

Nothing heavy is imported before a command that needs it runs. What is wrong is said in one sentence on stderr, by
`Commands.main` alone; the exit status is 1 for input, 2 for usage and 130 for Ctrl-C. `certify` ends with its verdict.
"""

import datetime as dt
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scanner_kit import operating
from scanner_kit.errors import InvalidInput, ScannerKitError
from scanner_kit.options import Daily, RosterOptions, SettingsFile, SourceOptions, settings_in, spelled_out

if TYPE_CHECKING:
    from scanner_kit.calendar import TradingDay
    from scanner_kit.replay import Source

SEVERAL = {"--bars": re.compile(r"\.(parquet|pq|csv|csv\.gz)$", re.IGNORECASE), "--set": re.compile(r"^\w+\.\w+=")}
"""Options that may be followed by several values, and how a further value looks."""


class Commands(TyperGroup):
    """The commands, and the one place where what went wrong becomes a sentence and an exit status."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; `standalone_mode` ends the process with its status."""
        try:
            given = spread(sys.argv[1:] if args is None else args)
            status = super().main(given, prog_name, complete_var, False, windows_expand_args, **extra)
        except ScannerKitError as fault:
            status = said(str(fault), 1)
        except typer.TyperException as fault:
            status = said(_with_remedy(fault), fault.exit_code)
        except OSError as fault:
            status = said(f"{fault.strerror or fault}: {fault.filename!r}. Check that it is there and may be used.", 1)
        if status == 130:
            said("Stopped by Ctrl-C.", 130)
        if standalone_mode:
            sys.exit(status)
        return status


def said(sentence: str, status: int) -> int:
    """Say a sentence on stderr, in one line; the status is handed back."""
    typer.secho(" ".join(sentence.split()), fg=typer.colors.RED, err=True)
    return status


def spread(args: Sequence[str]) -> list[str]:
    """Arguments in which each of several values has its option before it.

    >>> spread(["why", "--bars", "a.csv", "b.csv", "NVDA", "--set", "hot.top=3", "hot.steps=1"])
    ['why', '--bars', 'a.csv', '--bars', 'b.csv', 'NVDA', '--set', 'hot.top=3', '--set', 'hot.steps=1']
    """
    result: list[str] = []
    option, is_first = "", False
    for arg in args:
        if option and not is_first and SEVERAL[option].search(arg):
            result.append(option)
        elif not is_first:
            option = arg if arg in SEVERAL else ""
        is_first = bool(option) and arg == option
        result.append(arg)
    return result


def _with_remedy(fault: typer.TyperException) -> str:
    context = getattr(fault, "ctx", None)
    path = context.command_path if context else "scanner-kit"
    return f"{fault.format_message().strip().rstrip('.')}. See {path} --help."


app = typer.Typer(cls=Commands, pretty_exceptions_enable=False, rich_markup_mode=None, invoke_without_command=True)
operating.add_to(app)

Bars = Annotated[
    list[Path],
    typer.Argument(metavar="BARS…", help="Minute bars: Parquet or CSV, one file or several.", show_default=False),
]
BarsOption = Annotated[
    list[Path],
    typer.Option(
        "--bars", metavar="FILE…", help="Minute bars: Parquet or CSV, one file or several.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
def scanner_kit(context: typer.Context) -> None:
    """Scan the US stock market live, and know beforehand which thresholds find what matters."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    symbols: Annotated[
        int, typer.Option("--symbols", metavar="N", min=1, max=20_000, help="Symbols of the simulated market.")
    ] = 500,
    speed: Annotated[float, typer.Option("--speed", metavar="X", min=0.1, help="Times as fast as the clock.")] = 60.0,
    bars: Annotated[
        list[Path] | None, typer.Option("--bars", metavar="FILE…", help="Real minute bars instead: Parquet or CSV.")
    ] = None,
    daily: Daily = None,
    day: Annotated[
        str | None, typer.Option("--day", metavar="D", help="The day to begin with, like 2025-01-27.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65_535, help="Port of the page; 0 takes a free one.")
    ] = 5006,
    show: Annotated[bool, typer.Option("--show/--no-open", help="Open the page in a browser.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Show the live page on a simulated market, or on real bars of a day, and print its address."""
    chosen = settings_in(settings)
    try:
        from scanner_kit.demo import run
    except ModuleNotFoundError as fault:
        raise InvalidInput(
            f"The demo needs {fault.name}, which is not installed. Run: pip install 'scanner-kit[views]'."
        ) from fault
    run(symbols=symbols, speed=speed, bars=bars or [], daily=daily, day=day, port=port, show=show, settings=chosen)


@app.command()
@spelled_out
def replay(
    bars: Bars,
    day: Annotated[str | None, typer.Option("--day", metavar="D", help="One day, like 2025-01-27.")] = None,
    days: Annotated[
        str | None,
        typer.Option(
            "--days", metavar="A:B", help="The days from A to B, both included, or A: or :B; by default all there are."
        ),
    ] = None,
    *,
    source: SourceOptions,
    roster: RosterOptions,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Also every metric of every symbol in every minute.")
    ] = False,
    outcomes: Annotated[
        bool, typer.Option("--outcomes", help="Also what the price did after each trigger, and after random entries.")
    ] = False,
    cost_bps: Annotated[
        float, typer.Option("--cost-bps", metavar="X", min=0, help="Costs of an outcome, in 1/100 % of the entry.")
    ] = 5.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the random entries.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for triggers, lists, metrics, outcomes (Parquet), report, seal (JSON)."
        ),
    ] = None,
) -> None:
    """Replay days of bars through the engine that runs live: what fires, and who is on the lists.

    Days of a desk's archive are replayed as they stood, under the settings that were in force, unless others are given.
    """
    from scanner_kit import printing
    from scanner_kit.replay import Folder, Unkept
    from scanner_kit.replay import replay as replayed_into
    from scanner_kit.tuning.table import OutcomeRows

    begin = time.perf_counter()
    known = roster.roster()
    tape = source.replayed(bars, roster, known)
    chosen = _days(tape, day, days)
    with Folder(out) if out else Unkept() as sink, _progress(chosen) as watch:
        after = partial(OutcomeRows, cost_bps, seed) if outcomes else None
        replayed = replayed_into(tape, sink, chosen, known, metrics=metrics, outcomes=after, watch=watch)
    there = printing.console()
    there.print(printing.summary(replayed, time.perf_counter() - begin))
    told = ", ".join(f"{name} {rows:,}" for name, rows in replayed.rows.items())
    there.print(
        f"Written to {out}: rows of {told}." if out else "Nothing was written: name a folder with --out.",
        markup=False,
        soft_wrap=True,
    )


@app.command()
@spelled_out
def why(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As spelled in the bars.", show_default=False)],
    when: Annotated[
        str,
        typer.Argument(
            metavar="TIME",
            help="The end of a step, like 2025-01-27T09:37: New York's unless a zone is given.",
            show_default=False,
        ),
    ],
    bars: BarsOption,
    source: SourceOptions,
    roster: RosterOptions,
    as_json: AsJson = False,
) -> None:
    """Why each scanner did, or did not, select or speak of a symbol in a step."""
    from scanner_kit import printing
    from scanner_kit.engine import Engine

    day, k = _step_ending(when)
    known = roster.roster()
    tape = source.replayed(bars, roster, known).tape(day)
    tape.universe.row(symbol)
    engine = Engine(tape.universe, known)
    with _progress([day], k + 1) as watch:
        for minute in range(k + 1):
            watch(scan := engine.step(tape.bars(minute)))
    answers = engine.why(symbol, k)
    _print(printing.answer_facts(answers, scan)) if as_json else printing.console().print(
        printing.answer(answers, scan)
    )


@app.command()
@spelled_out
def certify(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="A scanner, composite or metric: my_scanners:GapAndGo, or my_scanners.py:GapAndGo.",
            show_default=False,
        ),
    ],
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", metavar="FILE…", help="Minute bars to try it on too: Parquet or CSV, one or several."),
    ] = None,
    day: Annotated[
        list[str] | None,
        typer.Option("--day", metavar="D", help="A day of the bars, again for several; by default the last."),
    ] = None,
    *,
    source: SourceOptions,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="THRESHOLD=VALUE", help="A threshold of its own, again for several: min_gap=5."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the page: .html, or .md for Markdown.")
    ] = None,
) -> None:
    """Certify a scanner or a metric: what was tried, what was found. Ends with 0 passed, 1 failed, 2 anything else."""
    try:
        from scanner_kit.settings import threshold_of
        from scanner_kit.tuning.certificate import certify as certified
        from scanner_kit.tuning.named import named

        if day and not bars:
            raise InvalidInput(f"--day is a day of --bars; found {day[0]} without any. Give --bars FILE.")
        split = (threshold_of(f"its.{text}") for text in set_ or ())
        thing = named(target, {name: value for _, name, value in split})
        given = source.over(bars) if bars else None
        tapes = [given.tape(one) for one in day or given.days[-1:]] if given else []
        certificate = certified(thing, tapes)
        typer.echo(str(certificate))
        if out:
            typer.echo(f"Written to {certificate.save(out)}.")
    except ScannerKitError as fault:
        raise typer.Exit(said(str(fault), 2)) from fault
    raise typer.Exit(certificate.status)


@app.command()
def scanners(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Only these, with all that they take.")
    ] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """The scanners: what each finds, and its thresholds with defaults and bounds."""
    from scanner_kit import printing

    facts = printing.scanner_facts(settings_in(settings).roster(names or None))
    _print(facts) if as_json else printing.console().print(printing.scanners_table(facts, whole=bool(names)))


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """The metrics: names, units and definitions."""
    from scanner_kit import printing

    facts = printing.metric_facts()
    _print(facts) if as_json else printing.console().print(printing.metrics_table(facts))


def main() -> None:
    """What the command `scanner-kit` runs."""
    app()


# What commands share


def _days(source: "Source", day: str | None, days: str | None) -> "tuple[TradingDay, ...]":
    from scanner_kit.calendar import TradingDay

    if day and days:
        raise typer.BadParameter("--day is one day and --days are several. Give one of the two")
    if day:
        return (TradingDay.of(day),)
    return source.days if days is None else _between(source.days, days)


def _between(known: "tuple[TradingDay, ...]", days: str) -> "tuple[TradingDay, ...]":
    from scanner_kit.calendar import as_date

    first, colon, last = (part.strip() for part in days.partition(":"))
    if not colon or not (first or last):
        raise InvalidInput(
            f"--days is A:B, or A: to the last day, or :B from the first; found {days!r}. "
            "Write, say, 2025-01-27:2025-01-31, or one day with --day."
        )
    low, high = as_date(first or dt.date.min), as_date(last or dt.date.max)
    if low > high:
        raise InvalidInput(f"--days is A:B with A not after B; found {days}. Turn them round.")
    found = tuple(one for one in known if low <= one.date <= high)
    if not found:
        there = f"{len(known)} days from {known[0].date} to {known[-1].date}" if known else "none"
        raise InvalidInput(f"--days {days} holds no day with bars; the bars have {there}. Name days among these.")
    return found


def _step_ending(text: str) -> "tuple[TradingDay, int]":
    """The day and minute of the step that ends at a time."""
    from scanner_kit.calendar import NEW_YORK, TradingDay

    try:
        given = dt.datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or ":" not in text:
        raise InvalidInput(f"TIME is a date and a time like 2025-01-27T09:37; found {text!r}. Write it so.")
    if given.second or given.microsecond:
        minute, clock = given.replace(second=0, microsecond=0), "%H:%M"
        raise InvalidInput(
            f"A step ends with a full minute; found {given.time()}. "
            f"Ask for {minute:{clock}} or {minute + dt.timedelta(minutes=1):{clock}}."
        )
    instant = given if given.tzinfo else given.replace(tzinfo=NEW_YORK)
    day = TradingDay.of(instant.astimezone(NEW_YORK).date())
    k = day.minute_of(instant) - 1
    if not 0 <= k < day.minutes:
        ends = f"from 04:01 to {20 if day.minutes == 960 else 17}:00 New York"
        raise InvalidInput(
            f"Steps of {day.date} end {ends}; found {instant.astimezone(NEW_YORK):%H:%M}. Ask for a time in between."
        )
    return day, k


@contextmanager
def _progress(days: "Sequence[TradingDay]", steps: int | None = None) -> "Iterator[Any]":
    """What to call after each step; progress is shown on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    there = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=there, transient=True, disable=not there.is_terminal) as progress:
        task = progress.add_task("", total=steps or sum(day.minutes for day in days))
        yield lambda scan: progress.update(task, advance=1, description=f"{scan.day} {scan.session}")


def _print(facts: Any) -> None:
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
