"""The commands that run a desk: everything on one machine with `up`, or each process of it alone.

Nothing heavy is imported before a command that needs it runs.
"""

import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner_kit.errors import InvalidInput
from scanner_kit.options import (
    MarketOptions,
    PageOptions,
    SettingsFile,
    SourceOptions,
    settings_in,
    spelled_out,
    words_of,
)
from scanner_kit.tending import (
    AsJson,
    WithParent,
    desk_of,
    jobs_app,
    note,
    print_json,
    settings_app,
    show,
    store_app,
    tape_app,
    who,
)

if TYPE_CHECKING:
    from scanner_kit.bus.connection import Bus
    from scanner_kit.live.pages.board import BusBoard
    from scanner_kit.live.supervisor import Station, Supervisor
    from scanner_kit.settings import Settings
    from scanner_kit.store import Store


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    for command in (up, ingest, engine, serve, stop, status, doctor):
        app.command()(command)
    app.add_typer(store_app, name="store", invoke_without_command=True)
    app.add_typer(tape_app, name="tape", no_args_is_help=True)
    app.add_typer(settings_app, name="settings", no_args_is_help=True)
    app.add_typer(jobs_app, name="jobs", invoke_without_command=True)


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
    # What is wrong with them is said before anything is started.
    market.start_k, market.checked(bars, known.live.archive)
    pages.check()
    with process("desk") as over, kept_up(known), desk_of(known) as (bus, store):
        _take_file(known, bus, store)
        store.audit.write(who(), "up", {"source": market.source})
        desk = Supervisor(_stations(known, market, bars, pages, settings), failing=partial(_say_failing, bus))
        threading.Thread(target=_announce, args=[bus, desk, over, market, show], daemon=True).start()
        desk.run(over)


@spelled_out
def ingest(
    market: MarketOptions, bars: SourceOptions, settings: SettingsFile = None, with_parent: WithParent = False
) -> None:
    """Put a market on the tape, minute by minute. Of several, one works and the others wait."""
    from scanner_kit.bus.beats import Beating
    from scanner_kit.live.feed.listening import ingest_of
    from scanner_kit.live.process import process

    known = settings_in(settings)
    feed = market.checked(bars, known.live.archive)
    with process("ingest", with_parent=with_parent) as over, desk_of(known) as (bus, store):
        playing = ingest_of(
            bus,
            feed,
            speed=market.speed,
            start_k=market.start_k,
            forming_seconds=market.forming,
            keeps_forming=known.live.intrabar,
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
    with process("engine", with_parent=with_parent) as over, known.blamed(), bus_of(known) as bus:
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
    from scanner_kit.live.pages.desk import site_of
    from scanner_kit.live.pages.serving import serve as served
    from scanner_kit.live.process import process

    known, figures = settings_in(settings), {}

    def ready(address: str) -> None:
        figures["port"] = int(address.rpartition(":")[2])
        if not with_parent:
            print(f"Open {address} in a browser; Ctrl-C ends it.", flush=True)

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

    known = settings_in(settings)
    folder = known.live.folder
    at_work = ", ".join(note.name for note in read_notes(folder))
    if at_work:
        raise InvalidInput(
            f"The private server in {str(folder)!r} ends when nobody works on it; found {at_work}. "
            "End scanner-kit up first, with Ctrl-C or SIGTERM."
        )
    has_ended = ended(folder)
    if has_ended:
        note(known, "stop")
    typer.echo(f"The private server in {str(folder)!r} {'has ended' if has_ended else 'does not run'}.")


def status(settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Say which processes of the desk there are, what each does, and since when. Nothing is started for it."""
    from scanner_kit.bus.beats import read_beats
    from scanner_kit.live import printed
    from scanner_kit.live.health.signs import present
    from scanner_kit.live.server import bus_there

    with bus_there(settings_in(settings)) as bus:
        now = time.time()
        facts = printed.beat_facts(present(read_beats(bus), now), now)
        where = f"{bus.url} ({bus.how}), prefix {bus.keys.prefix}"
    show(facts, lambda facts: printed.beats_table(facts, where), as_json)


def doctor(
    probe: Annotated[
        bool, typer.Option("--probe", help="Send a labelled test trigger all the way to the screen, and time it.")
    ] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Walk the chain from bus to pages: the first thing broken, and its remedy. Ends with 1 if anything is."""
    from scanner_kit.live.health.doctor import diagnose, send_probe
    from scanner_kit.live.server import bus_there

    known = settings_in(settings)
    found: Any = diagnose(known)
    if probe and not found.status:
        if not as_json:
            typer.echo(found)
        with bus_there(known) as bus:
            found = send_probe(bus, threading.Event())
        note(known, "doctor --probe", found.facts())
    print_json(found.facts()) if as_json else typer.echo(found)
    raise typer.Exit(found.status)


# What the commands are made of


def _in_force(kept: "Store") -> tuple[int, Any]:
    """The version of the settings that holds now, and its thresholds."""
    version = kept.versions.now()
    return version.n, version.thresholds


def _take_file(settings: "Settings", bus: "Bus", kept: "Store") -> None:
    """Take the thresholds of the settings file, if there is one, as a version."""
    from scanner_kit.live.changing import DeskSettings

    if settings.thresholds:
        DeskSettings(kept, bus, settings.live.scanners).take_file(settings, who(), "settings file")


def _stations(
    known: "Settings", market: MarketOptions, bars: SourceOptions, pages: PageOptions, settings: Path | None
) -> "list[Station]":
    """The processes of a desk, in the order of the chain."""
    from scanner_kit.live.supervisor import Station

    file = [f"--settings={settings}"] if settings else []
    commands = {
        "ingest": ["ingest", *market.words(), *words_of(bars)],
        "engine": ["engine"],
        "store": ["store"],
        "serve": ["serve", *pages.words()],
        **({"jobs": ["jobs"]} if _has_jobs(known) else {}),
    }
    run = (sys.executable, "-m", "scanner_kit")
    stations = [Station(name, (*run, *words, *file, "--with-parent")) for name, words in commands.items()]
    if known.live.redis:
        return stations
    owner = (sys.executable, "-m", "scanner_kit.live.owner", str(known.live.folder.absolute()), "--wait")
    named = ("--server", known.live.server) if known.live.server else ()
    return [Station("bus", (*owner, *named)), *stations]


def _has_jobs(known: "Settings") -> bool:
    """Whether a scanner of the user's own runs on a schedule."""
    from scanner_kit.live.jobs.running import scheduled_of

    return bool(scheduled_of(known.live.scanners))


def _say_failing(bus: "Bus", role: str, *how: Any) -> None:
    """Say on the bus that a process ends whenever it is started; the bus itself is missed by everybody."""
    from scanner_kit.bus.beats import say_failing

    if role != "bus":
        say_failing(bus, role, *how)


def _serving(board: "BusBoard", figures: dict[str, int]) -> dict[str, Any]:
    """What the heartbeat of the pages says."""
    from scanner_kit.live.pages.serving import browsers

    told = {"sessions": board.sessions, "browsers": browsers()}
    return {"version": board.settings, "figures": {**figures, **told}}


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
