"""The commands that run a desk: everything on one machine with `up`, or each process of it alone.

Nothing heavy is imported before a command that needs it runs.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner_kit.errors import InvalidInput
from scanner_kit.options import SettingsFile, SourceOptions, settings_in, spelled_out

if TYPE_CHECKING:
    import datetime as dt

    from scanner_kit.bus.connection import Bus
    from scanner_kit.live.board import BusBoard
    from scanner_kit.live.feeds import Feed
    from scanner_kit.live.supervisor import Station, Supervisor
    from scanner_kit.settings import Settings
    from scanner_kit.store import Store

FOUR_O_CLOCK, MINUTES = 240, 960
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


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
        return [f"--{name}={value}" for name, value in vars(self).items() if value is not None]

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
        from scanner_kit.live.feeds import FileFeed, SimulatedFeed
        from scanner_kit.live.listening import InboxFeed
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

    def words(self) -> list[str]:
        """The options as a command takes them."""
        told = [f"--port={self.port}", f"--address={self.address}"]
        return [*told, *(f"--origin={origin}" for origin in self.origin or ())]


store_app, tape_app, settings_app = typer.Typer(), typer.Typer(), typer.Typer()


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    for command in (up, ingest, engine, serve, stop, status, doctor):
        app.command()(command)
    app.add_typer(store_app, name="store", invoke_without_command=True)
    app.add_typer(tape_app, name="tape", no_args_is_help=True)
    app.add_typer(settings_app, name="settings", no_args_is_help=True)


@spelled_out
def up(
    market: MarketOptions,
    bars: SourceOptions,
    pages: PageOptions,
    show: Annotated[bool, typer.Option("--show/--no-open", help="Open the page in a browser.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Run a whole desk on this machine: bus, ingest, engine, store and pages, and print the pages' address."""
    from scanner_kit.live.process import process
    from scanner_kit.live.server import kept_up
    from scanner_kit.live.supervisor import Supervisor

    known = settings_in(settings)
    market.start_k, market.feed(bars)  # what is wrong with them is said before anything is started
    with process("desk") as over, kept_up(known), _desk(known) as (bus, store):
        _take_file(known, bus, store)
        store.audit.write(_who(), "up", {"source": market.source})
        desk = Supervisor(_stations(known, market, bars, pages, settings))
        threading.Thread(target=_announce, args=[bus, desk, over, market, show], daemon=True).start()
        desk.run(over)


@spelled_out
def ingest(
    market: MarketOptions, bars: SourceOptions, settings: SettingsFile = None, with_parent: WithParent = False
) -> None:
    """Put a market on the tape, minute by minute. Of several, one works and the others wait."""
    from scanner_kit.bus.beats import Beating
    from scanner_kit.live.listening import ingest_of
    from scanner_kit.live.process import process

    known = settings_in(settings)
    feed = market.feed(bars, known.live.archive)
    with process("ingest", with_parent=with_parent) as over, _desk(known) as (bus, store):
        playing = ingest_of(
            bus,
            feed,
            speed=market.speed,
            start_k=market.start_k,
            forming_seconds=market.forming,
            archive=known.live.archive,
            in_force=lambda: _in_force(store),
        )
        with Beating(bus, "ingest", playing.facts, state=known.live.folder):
            playing.run(over)
            over.wait()


def engine(settings: SettingsFile = None, with_parent: WithParent = False) -> None:
    """Scan what is on the tape, and publish it. Of several engines one leads, and the others stand by."""
    from scanner_kit.live.process import process
    from scanner_kit.live.scanning import scan
    from scanner_kit.live.server import bus_of

    known = settings_in(settings)
    with process("engine", with_parent=with_parent) as over, bus_of(known) as bus:
        live = known.live
        scan(bus, over, scanners=live.scanners, intrabar=live.intrabar, state=live.folder)


@spelled_out
def serve(
    pages: PageOptions,
    show: Annotated[bool, typer.Option("--show/--no-open", help="Open the page in a browser.")] = False,
    settings: SettingsFile = None,
    with_parent: WithParent = False,
) -> None:
    """Serve the pages: live, explorer, health, and /api/health."""
    from scanner_kit.bus.beats import Beating
    from scanner_kit.live.desk import site_of
    from scanner_kit.live.process import process
    from scanner_kit.live.serving import serve as served

    known, figures = settings_in(settings), {}

    def ready(address: str) -> None:
        figures["port"] = int(address.rpartition(":")[2])

    with (
        process("serve", with_parent=with_parent) as over,
        site_of(known) as (site, board),
        Beating(board.bus, "serve", lambda: _serving(board, figures), state=known.live.folder),
    ):
        served(site, over, port=pages.port, address=pages.address, origins=pages.origin or (), show=show, ready=ready)


def stop(settings: SettingsFile = None) -> None:
    """End the private server of the state folder, which outlives the notebook or command that started it."""
    from scanner_kit.bus.beats import read_notes
    from scanner_kit.live.server import stop as ended

    folder = settings_in(settings).live.folder
    at_work = ", ".join(note.name for note in read_notes(folder))
    if at_work:
        raise InvalidInput(
            f"The private server in {str(folder)!r} ends when nobody works on it; found {at_work}. "
            "End scanner-kit up first, with Ctrl-C or SIGTERM."
        )
    typer.echo(f"The private server in {str(folder)!r} {'has ended' if ended(folder) else 'does not run'}.")


def status(settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Say which processes of the desk there are, what each does, and since when. Nothing is started for it."""
    from scanner_kit import printing
    from scanner_kit.bus.beats import read_beats
    from scanner_kit.live import printed
    from scanner_kit.live.server import bus_there
    from scanner_kit.live.signs import present

    with bus_there(settings_in(settings)) as bus:
        now = time.time()
        facts = printed.beat_facts(present(read_beats(bus), now), now)
        where = f"{bus.url} ({bus.how}), prefix {bus.keys.prefix}"
    _print(facts) if as_json else printing.console().print(printed.beats_table(facts, where))


def doctor(
    probe: Annotated[
        bool, typer.Option("--probe", help="Send a labelled test trigger all the way to the screen, and time it.")
    ] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Walk the chain from bus to pages: the first thing broken, and its remedy. Ends with 1 if anything is."""
    from scanner_kit.live.doctor import diagnose, send_probe
    from scanner_kit.live.server import bus_of

    known = settings_in(settings)
    found: Any = diagnose(known)
    if probe and not found.status:
        if not as_json:
            typer.echo(found)
        with bus_of(known) as bus:
            found = send_probe(bus, threading.Event())
    _print(found.facts()) if as_json else typer.echo(found)
    raise typer.Exit(found.status)


@store_app.callback()
def store(
    context: typer.Context,
    keep_days: Annotated[
        int | None, typer.Option("--keep-days", metavar="N", min=1, help="Keep the newest N days; by default all.")
    ] = None,
    settings: SettingsFile = None,
    with_parent: WithParent = False,
) -> None:
    """Write what the engine publishes into the store; the commands below look after it."""
    known = settings_in(settings)
    context.obj = known
    if context.invoked_subcommand is not None:
        return
    from scanner_kit.live.process import process
    from scanner_kit.live.server import bus_of
    from scanner_kit.live.storing import keep

    with process("store", with_parent=with_parent) as over, bus_of(known) as bus:
        keep(bus, known.live.store_url, over, keep_days=keep_days, state=known.live.folder)


@store_app.command("migrate")
def store_migrate(context: typer.Context) -> None:
    """Bring the store's tables to this version of scanner_kit."""
    with _opened(context.obj) as kept:
        typer.echo(f"{kept.url} is up to date.")


@store_app.command("prune")
def store_prune(
    context: typer.Context,
    keep_days: Annotated[
        int, typer.Option("--keep-days", metavar="N", min=1, help="The newest N days stay.", show_default=False)
    ],
) -> None:
    """Remove old days, a little at a time, while the store is being written."""
    with _opened(context.obj) as kept:
        kept.audit.write(_who(), "prune", {"keep_days": keep_days})
        gone = kept.prune(keep_days)
    typer.echo(f"{len(gone)} days removed from {kept.url}.")


@store_app.command("export")
def store_export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)],
) -> None:
    """Write triggers, lists, settings and audit as Parquet."""
    with _opened(context.obj) as kept:
        files = kept.export(out)
    typer.echo(f"Written to {out}: {', '.join(path.name for path in files)}.")


@tape_app.callback()
def tape_group(context: typer.Context, settings: SettingsFile = None) -> None:
    """Take a day's tape from the bus to files, and back."""
    context.obj = settings_in(settings)


@tape_app.command("export")
def tape_export(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help="Like 2025-01-27.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder; by default the archive of the desk.")
    ] = None,
) -> None:
    """Write a day that is on the bus to a folder: its minute bars, its daily rows, and what else stood on the tape."""
    from scanner_kit.calendar import TradingDay
    from scanner_kit.live.archive import archive
    from scanner_kit.live.server import bus_of

    with bus_of(context.obj) as bus:
        path = archive(bus, TradingDay.of(day), out or context.obj.live.archive)
    typer.echo(f"Written to {path}.")


@tape_app.command("import")
def tape_import(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help="Like 2025-01-27.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Folder; by default the archive of the desk.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Make it the day that the engine scans.")] = False,
) -> None:
    """Put a day from a folder on the bus again, as it was."""
    from scanner_kit.calendar import TradingDay
    from scanner_kit.live.archive import Archive, put_back
    from scanner_kit.live.server import bus_of

    with bus_of(context.obj) as bus:
        put_back(bus, Archive(folder or context.obj.live.archive), TradingDay.of(day), follow=follow)
        typer.echo(f"The tape of {day} is on the bus under {bus.keys.prefix!r}.")


@settings_app.callback()
def settings_group(context: typer.Context, settings: SettingsFile = None) -> None:
    """Look at the settings of the desk, in versions, and change them while it runs."""
    context.obj = settings_in(settings)


@settings_app.command("show")
def settings_show(
    context: typer.Context,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Another than the present one.")] = None,
) -> None:
    """Show the thresholds that are set in a version, as a settings file has them."""
    from scanner_kit.settings import Settings
    from scanner_kit.tuning.lab import toml_of

    with _opened(context.obj) as kept:
        found = kept.versions.now() if version is None else kept.versions.get(version)
    typer.echo(f"# version {found.n}" + (f", {found.who}, {found.time:%Y-%m-%d %H:%M} UTC" if found.who else ""))
    for scanner in Settings(thresholds=found.thresholds).roster(found.thresholds):
        typer.echo(toml_of(scanner))


@settings_app.command("history")
def settings_history(context: typer.Context, as_json: AsJson = False) -> None:
    """List the versions, newest first: who changed what, when, and why."""
    from scanner_kit import printing
    from scanner_kit.live import printed

    with _opened(context.obj) as kept:
        facts = printed.version_facts(kept.versions.history())
    _print(facts) if as_json else printing.console().print(printed.versions_table(facts))


@settings_app.command("set")
def settings_set(
    context: typer.Context,
    thresholds: Annotated[list[str], typer.Argument(metavar="SCANNER.THRESHOLD=VALUE…", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who read the history.")] = "",
    base: Annotated[
        int | None, typer.Option("--base", metavar="N", help="Refuse it where this version is not in force any more.")
    ] = None,
) -> None:
    """Change thresholds of the whole desk, from the next step on."""
    from scanner_kit.live.changing import change
    from scanner_kit.settings import thresholds_of

    with _desk(context.obj) as (bus, kept):
        since = kept.versions.now().n if base is None else base
        version = change(kept, bus, since, thresholds_of(thresholds), _who(), why)
    typer.echo(f"Version {version.n} is in force from the next step on.")


@settings_app.command("restore")
def settings_restore(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="N", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who read the history.")] = "",
) -> None:
    """Put an earlier version in force again, as a new one."""
    from scanner_kit.live.changing import bring_back

    with _desk(context.obj) as (bus, kept):
        now = bring_back(kept, bus, version, _who(), why)
    typer.echo(f"Version {now.n}, which is {version} again, is in force from the next step on.")


@settings_app.command("import")
def settings_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A settings file, as TOML.", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who read the history.")] = "",
) -> None:
    """Put the thresholds of a settings file in force, as a new version where they are others."""
    from scanner_kit.live.changing import take_file
    from scanner_kit.settings import read_settings

    with _desk(context.obj) as (bus, kept):
        version = take_file(kept, bus, read_settings(file), _who(), why or f"file {file.name}")
    typer.echo(f"Version {version.n} is in force from the next step on.")


# What the commands share


@contextmanager
def _desk(settings: "Settings") -> "Iterator[tuple[Bus, Store]]":
    from scanner_kit.live.server import bus_of

    with bus_of(settings) as bus, _opened(settings) as kept:
        yield bus, kept


def _opened(settings: "Settings") -> "Store":
    from scanner_kit.store import open_store

    return open_store(settings.live.store_url)


def _in_force(kept: "Store") -> tuple[int, Any]:
    version = kept.versions.now()
    return version.n, version.thresholds


def _take_file(settings: "Settings", bus: "Bus", kept: "Store") -> None:
    """Take the thresholds of the settings file, if there is one, as a version."""
    from scanner_kit.live.changing import take_file

    if settings.thresholds:
        take_file(kept, bus, settings, _who(), "settings file")


def _stations(
    known: "Settings", market: MarketOptions, bars: SourceOptions, pages: PageOptions, settings: Path | None
) -> "list[Station]":
    """The processes of a desk, in the order of the chain."""
    from scanner_kit.live.supervisor import Station

    file = [f"--settings={settings}"] if settings else []
    commands = {
        "ingest": ["ingest", *market.words(), *_words(bars)],
        "engine": ["engine"],
        "store": ["store"],
        "serve": ["serve", *pages.words()],
    }
    run = (sys.executable, "-m", "scanner_kit")
    stations = [Station(name, (*run, *words, *file, "--with-parent")) for name, words in commands.items()]
    if known.live.redis:
        return stations
    owner = (sys.executable, "-m", "scanner_kit.live.owner", str(known.live.folder.absolute()), "--wait")
    named = ("--server", known.live.server) if known.live.server else ()
    return [Station("bus", (*owner, *named)), *stations]


def _serving(board: "BusBoard", figures: dict[str, int]) -> dict[str, Any]:
    """What the heartbeat of the pages says."""
    return {"version": board.settings, "figures": {**figures, "sessions": board.sessions}}


def _announce(bus: "Bus", desk: "Supervisor", over: threading.Event, market: MarketOptions, show: bool) -> None:
    """Say the pages' address once they are served."""
    from scanner_kit.bus.beats import read_beats
    from scanner_kit.bus.connection import persist

    address = None
    while address is None and not over.wait(0.1):
        ours = desk.processes.get("serve")
        beats = persist(lambda: read_beats(bus), over) or ()
        address = next((int(one.figures["port"]) for one in beats if one.pid == ours and "port" in one.figures), None)
    if address is None:
        return
    page = f"http://localhost:{address}"
    pace = "as they come" if market.source == "redis" else f"{market.speed:g} times as fast as the clock"
    label = "A simulated market" if market.source == "simulated" else "Your bars"
    print(f"{label}, {pace}. Open {page} in a browser; Ctrl-C ends it.", flush=True)
    if show:
        import webbrowser

        webbrowser.open(page)


def _words(bars: SourceOptions) -> list[str]:
    """The options of a source as a command takes them."""
    told = {name.replace("_", "-"): value for name, value in vars(bars).items() if value not in (None, False)}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in told.items()]


def _who() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _print(facts: Any) -> None:
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
