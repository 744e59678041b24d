"""The commands that look after what a desk keeps: its store, the tape of its days, and its settings.

Nothing heavy is imported before a command that needs it runs.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner_kit.options import SettingsFile, settings_in

if TYPE_CHECKING:
    from scanner_kit.bars import Join, Leave
    from scanner_kit.bus.connection import Bus
    from scanner_kit.live.changing import DeskSettings
    from scanner_kit.settings import Settings
    from scanner_kit.store import Store

store_app, tape_app, settings_app, jobs_app = typer.Typer(), typer.Typer(), typer.Typer(), typer.Typer()
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


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

    with process("store", with_parent=with_parent) as over, known.blamed(), bus_of(known) as bus:
        keep(
            bus,
            known.live.store_url,
            over,
            keep_days=keep_days,
            state=known.live.folder,
            own=known.live.scanners,
        )


@store_app.command("migrate")
def store_migrate(context: typer.Context) -> None:
    """Bring the store's tables to this version of scanner_kit."""
    with opened(context.obj) as kept:
        kept.audit.write(who(), "store migrate")
        typer.echo(f"{kept.url} is up to date.")


@store_app.command("prune")
def store_prune(
    context: typer.Context,
    keep_days: Annotated[
        int, typer.Option("--keep-days", metavar="N", min=1, help="The newest N days stay.", show_default=False)
    ],
) -> None:
    """Remove old days, a little at a time, while the store is being written."""
    with opened(context.obj) as kept:
        kept.audit.write(who(), "store prune", {"keep_days": keep_days})
        gone = kept.prune(keep_days)
    typer.echo(f"{len(gone)} days removed from {kept.url}.")


@store_app.command("export")
def store_export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)],
) -> None:
    """Write triggers, lists, settings and audit as Parquet."""
    with opened(context.obj) as kept:
        kept.audit.write(who(), "store export", {"out": str(out)})
        files = kept.export(out)
    typer.echo(f"Written to {out}: {', '.join(path.name for path in files)}.")


@store_app.command("audit")
def store_audit(
    context: typer.Context,
    by: Annotated[str | None, typer.Option("--who", metavar="WHO", help="Only of this person or process.")] = None,
    what: Annotated[
        str | None, typer.Option("--what", metavar="WHAT", help="Only of this kind: settings, scans, began, up, …")
    ] = None,
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, max=10_000, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List who did what, the newest first: settings, commands, processes that began and ended, days scanned."""
    from scanner_kit.live import printed

    with opened(context.obj) as kept:
        facts = printed.audit_facts(kept.audit.page(who=by, what=what, size=last).rows)
    show(facts, printed.audit_table, as_json)


@tape_app.callback()
def tape_group(context: typer.Context, settings: SettingsFile = None) -> None:
    """Have symbols join or leave today's tape; take a day's tape from the bus to files, and back."""
    context.obj = settings_in(settings)


@tape_app.command("export")
def tape_export(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help="Like 2025-01-27.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder; by default the archive of the desk.")
    ] = None,
) -> None:
    """Write a day to a folder: its minute bars, its daily rows, and what else stood on the tape.

    A day that has ended comes out of the desk's archive where it is there, any other off the bus.
    """
    from scanner_kit.calendar import TradingDay
    from scanner_kit.live.archive import Archive, archive
    from scanner_kit.live.server import bus_there

    wanted, home = TradingDay.of(day), Archive(context.obj.live.archive)
    there = Archive(out or home.folder)
    if there.has_ended(wanted):
        path = there.bars(wanted.date)
    elif home.has_ended(wanted):
        path = there.put(list(home.entries(wanted)))
    else:
        with bus_there(context.obj) as bus:
            path = archive(bus, wanted, there.folder)
    note(context.obj, "tape export", {"day": str(wanted.date), "to": str(path)})
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
    from scanner_kit.live.server import bus_there

    with bus_there(context.obj) as bus:
        put_back(bus, Archive(folder or context.obj.live.archive), TradingDay.of(day), follow=follow)
        typer.echo(f"The tape of {day} is on the bus under {bus.keys.prefix!r}.")
    note(context.obj, "tape import", {"day": day, "follow": follow})


@tape_app.command("join")
def tape_join(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", show_default=False)],
    facts: Annotated[
        Path | None,
        typer.Option("--facts", metavar="FILE", help="What is known of them: JSON, CSV or Parquet, a row a symbol."),
    ] = None,
) -> None:
    """Have symbols join the universe of the running day, from the next step on."""
    from scanner_kit.live.feed.joining import join_of, rows_of_facts

    change_universe(context.obj, join_of([] if facts is None else rows_of_facts(facts), symbols), "join", "joins")


@tape_app.command("leave")
def tape_leave(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", show_default=False)],
) -> None:
    """Have symbols leave the universe of the running day, from the next step on."""
    from scanner_kit.bars import Leave

    change_universe(context.obj, Leave.of(*symbols), "leave", "leaves")


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

    with opened(context.obj) as kept:
        found = kept.versions.now() if version is None else kept.versions.get(version)
    typer.echo(f"# version {found.n}" + (f", {found.who}, {found.time:%Y-%m-%d %H:%M} UTC" if found.who else ""))
    for scanner in Settings(thresholds=found.thresholds).roster(found.thresholds):
        typer.echo(toml_of(scanner))


@settings_app.command("history")
def settings_history(context: typer.Context, as_json: AsJson = False) -> None:
    """List the versions, newest first: who changed what, when, and why."""
    from scanner_kit.live import printed

    with opened(context.obj) as kept:
        facts = printed.version_facts(kept.versions.history())
    show(facts, printed.versions_table, as_json)


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
    from scanner_kit.settings import thresholds_of

    with _desk_settings(context.obj) as desk:
        since = desk.store.versions.now().n if base is None else base
        version = desk.change(since, thresholds_of(thresholds, desk.roster(0)), who(), why)
        typer.echo(f"Version {version.n} {_from_when(desk)}.")


@settings_app.command("restore")
def settings_restore(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="N", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who read the history.")] = "",
) -> None:
    """Put an earlier version in force again, as a new one."""
    with _desk_settings(context.obj) as desk:
        now = desk.bring_back(version, who(), why)
        typer.echo(f"Version {now.n}, which is {version} again, {_from_when(desk)}.")


@settings_app.command("import")
def settings_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A settings file, as TOML.", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who read the history.")] = "",
) -> None:
    """Put the thresholds of a settings file in force, as a new version where they are others."""
    from scanner_kit.settings import read_settings

    with _desk_settings(context.obj) as desk:
        version = desk.take_file(read_settings(file), who(), why or f"file {file.name}")
        typer.echo(f"Version {version.n} {_from_when(desk)}.")


@jobs_app.callback()
def jobs(context: typer.Context, settings: SettingsFile = None, with_parent: WithParent = False) -> None:
    """Run the scheduled scanners among your own, each in a process of its own; the commands below look after them."""
    known = settings_in(settings)
    context.obj = known
    if context.invoked_subcommand is not None:
        return
    from scanner_kit.live.jobs import running
    from scanner_kit.live.process import process
    from scanner_kit.live.server import bus_of

    with process("jobs", with_parent=with_parent) as over, bus_of(known) as bus:
        running.run(bus, over, scanners=known.live.scanners, state=known.live.folder)
        over.wait()


@jobs_app.command("list")
def jobs_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the scheduled scanners: which are on, why others are off, and how often each failed in a row."""
    from scanner_kit.live.jobs.running import Kept, scheduled_of
    from scanner_kit.live.server import bus_there

    with bus_there(context.obj) as bus:
        found = {name: Kept.read(bus, name) for name in scheduled_of(context.obj.live.scanners)}
    if as_json:
        print_json({name: {"off": one.off, "failures": one.failures} for name, one in found.items()})
        return
    for name, one in found.items():
        typer.echo(f"{name}: {one.off or 'on'}" + (f", {one.failures} failed in a row" if one.failures else ""))
    if not found:
        typer.echo("No scheduled scanner. Name your own in [live] scanners of the settings.")


@jobs_app.command("on")
def jobs_on(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)]) -> None:
    """Switch a scheduled scanner on again that was switched off."""
    from scanner_kit.live.jobs.running import scheduled_of, switch_on
    from scanner_kit.live.server import bus_there

    with bus_there(context.obj) as bus:
        was_off = switch_on(bus, name, tuple(scheduled_of(context.obj.live.scanners)))
    note(context.obj, "jobs on", {"scanner": name})
    typer.echo(f"{name} is on{' again' if was_off else ', as it was'}.")


# What the commands share


@contextmanager
def desk_of(settings: "Settings") -> "Iterator[tuple[Bus, Store]]":
    """The bus and the store of a desk, until the block is left."""
    from scanner_kit.live.server import bus_of

    with settings.blamed(), bus_of(settings) as bus, opened(settings) as kept:
        yield bus, kept


def change_universe(settings: "Settings", change: "Join | Leave", what: str, done: str) -> None:
    """Put on today's tape that symbols join or leave, and in the audit who did it."""
    from scanner_kit.live.feed.joining import change_today
    from scanner_kit.live.server import bus_there

    with settings.blamed(), bus_there(settings) as bus, opened(settings) as kept:
        change_today(bus, change)
        kept.audit.write(who(), what, {"symbols": list(change.symbols)})
    for symbol in change.symbols:
        typer.echo(f"{symbol} {done}, from the next step on.")


@contextmanager
def _desk_settings(settings: "Settings") -> "Iterator[DeskSettings]":
    """The settings in the store, with the bus where one is configured or a private one runs: none is started."""
    from scanner_kit.live.changing import DeskSettings
    from scanner_kit.live.server import bus_there, running

    with ExitStack() as stack:
        there = settings.live.redis or running(settings.live.folder)
        bus = stack.enter_context(bus_there(settings)) if there else None
        yield DeskSettings(stack.enter_context(opened(settings)), bus, settings.live.scanners)


def _from_when(desk: "DeskSettings") -> str:
    return (
        "is in force once a desk starts: none is running" if desk.bus is None else "is in force from the next step on"
    )


def opened(settings: "Settings") -> "Store":
    """The store of a desk; it is a context."""
    from scanner_kit.store import open_store

    with settings.blamed():
        return open_store(settings.live.store_url)


def note(settings: "Settings", what: str, detail: dict[str, Any] | None = None) -> None:
    """Note in the audit what a command did; where the store cannot be had, the command has done it all the same."""
    from scanner_kit.store import StoreError

    if settings.live.store is None and not settings.live.store_file.exists():
        return
    try:
        with opened(settings) as kept:
            kept.audit.write(who(), what, detail)
    except StoreError as fault:
        typer.echo(f"This is not in the audit: {fault}", err=True)


def who() -> str:
    """Whose commands these are, for the audit."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def show(facts: Any, table: Callable[[Any], Any], as_json: bool) -> None:
    """Print plain values as JSON, or as the table that is made of them."""
    from scanner_kit import printing

    print_json(facts) if as_json else printing.console().print(table(facts))


def print_json(facts: Any) -> None:
    """Print plain values as JSON."""
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
