"""Proof: a bar on the bus is a changed cell in every browser, soon, whoever else looks on slowly.

The bus, an engine and the pages run as on a desk, each in a process of its own; this script is the ingest. It puts the
minutes of a simulated day on the tape and notes when. Two of the browsers are real, and note when a cell of their lists
changes; two cores cannot draw for twenty, so the others are sessions that are opened as a browser opens them, read all
that comes, and note when the message of a minute is there (`sessions.py`). First they look on alone; then beside a page
whose processor is throttled twenty times, and a session that reads nothing. In the end all twenty are real: what is
measured then is how long two cores take to draw twenty pages.

    make prove-browsers
    make prove-browsers ARGS="--browsers 5 --minutes 30 --out /tmp/short"
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.browser import DEEP, chromium, listen
from benchmarks.proof import Claim, Found, all_hold, asked, claimed, closed
from benchmarks.sessions import Arrived, sessions, token
from scanner_kit.bars import Tape
from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.heads import Head
from scanner_kit.bus.tape import TapeWriter, set_current_day
from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.live import server
from scanner_kit.live.server import bus_of
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

BUDGET_MS, SEEN = 100.0, 0.95
"""At p95; and the share of the minutes that must be seen at all: a cell need not change in every one."""
ALONE, BESIDE = "all look on", "beside slow ones"
FIRST_K = 345
THROTTLED = 20
PATIENCE, SETTLED = 120.0, 5.0
WATCH = f"""() => {{ {DEEP}
  window.changed = []
  const root = deep('.wall').getRootNode()
  const all = {{subtree: true, characterData: true, childList: true}}
  const note = () => window.changed.push([Date.now(), deep('.step').textContent.slice(0, 5)])
  new MutationObserver(note).observe(root, all)
}}"""
"""Note when a cell of the lists changes (wall clock, milliseconds), and which minute the page shows then."""


@dataclass(frozen=True)
class Options:
    """What the proof is made of."""

    browsers: int = 20
    real: int = 2
    minutes: int = 60
    symbols: int = 1_000
    every: float = 1.0


@dataclass
class Measured(Found):
    """How long the minutes took in each part, and what the browsers said."""

    ms: dict[str, dict[str, float]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """What is written beside the options."""
        return {"claims": self.claims, **super().told()}

    @property
    def claims(self) -> dict[str, Claim]:
        """Each claim, whether it holds, and what was found."""
        claims: dict[str, Claim] = {}
        for part in (ALONE, BESIDE):
            for name, ms in self.ms.items():
                if name.startswith(part):
                    holds = ms["p95"] <= BUDGET_MS and ms["n"] >= SEEN * ms["of"]
                    claims[f"{name} within {BUDGET_MS:g} ms"] = {"holds": holds, "found": f"{ms['p95']:.0f} ms at p95"}
        errors = {"holds": not self.said, "found": "; ".join(self.said[:5]) or "none"}
        return {**claims, "no error in a console, no request to the outside": errors}


@contextmanager
def desk(options: Options) -> Iterator[tuple[Bus, TapeWriter, Tape, str]]:
    """A bus, an engine and the pages; the tape of a day, written up to the first quarter of an hour of the session."""
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="scanner-kit-"))
        bus = stack.enter_context(bus_of(Settings(live=LiveSettings(state=state))))
        stack.callback(server.stop, Path(state))
        tape = simulated_tape(SimulatedMarket(symbols=options.symbols))
        writer = TapeWriter(bus, tape.universe.day)
        writer.open(Head(tape.universe, source="proof"))
        set_current_day(bus, tape.universe.day)
        for k in range(FIRST_K):
            writer.closed(tape.bars(k), time.time())
        stack.enter_context(process("engine", state=state))
        address = stack.enter_context(served(bus, state))
        yield bus, writer, tape, address


@contextmanager
def process(*command: str, state: str) -> Iterator["subprocess.Popen[str]"]:
    """A command of the kit, in a process of its own."""
    environment = {**os.environ, "SCANNER_KIT_STATE": state}
    words = [sys.executable, "-m", "scanner_kit", *command]
    running = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


@contextmanager
def served(bus: Bus, state: str) -> Iterator[str]:
    """The address of the pages, as their heartbeat says it."""
    with process("serve", "--port", "0", state=state) as running:
        end = time.monotonic() + PATIENCE
        while running.poll() is None and time.monotonic() < end:
            for beat in read_beats(bus):
                if beat.role == "serve" and "port" in beat.figures:
                    yield f"http://localhost:{int(beat.figures['port'])}"
                    return
            time.sleep(0.2)
        raise SystemExit("The pages were not served.")


def opened(browser: Browser, address: str, said: list[str]) -> Page:
    """A page of a browser's own, as it shows the board."""
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    listen(page, address, said)
    page.goto(f"{address}/live")
    page.wait_for_selector(".heat b")
    page.evaluate(WATCH)
    return page


def one_that_reads_nothing(address: str) -> socket.socket:
    """A session whose browser takes the connection and then reads nothing of it."""
    name = token(f"{address}/live")
    host, port = address.removeprefix("http://").split(":")
    there = socket.create_connection((host, int(port)), timeout=30)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lines = (
        "GET /live/ws HTTP/1.1", f"Host: {host}:{port}", f"Origin: {address}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: bokeh, {name}",
    )  # fmt: skip
    there.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b" 101 " in there.recv(512), "the connection was not taken"
    return there


@dataclass(frozen=True)
class Onlookers:
    """Who looks on: pages of real browsers, and what arrived at each session without one."""

    pages: list[Page]
    arrived: list[Arrived]

    def forget(self) -> None:
        """Note anew."""
        for page in self.pages:
            page.evaluate("() => { window.changed = [] }")
        for one in self.arrived:
            one.clear()

    def took(self, sent: dict[int, float], day: TradingDay) -> dict[str, list[float]]:
        """How long each minute took, from when its bars were sent, in milliseconds."""
        minutes = {f"{day.time(k).astimezone(NEW_YORK):%H:%M}": k for k in sent}
        changed = [_first(page.evaluate("() => window.changed"), minutes) for page in self.pages]
        return {
            "a cell has changed": [one[k] - began for one in changed for k, began in sent.items() if k in one],
            "the message is there": [one[k] - began for one in self.arrived for k, began in sent.items() if k in one],
        }


def _first(changed: list[tuple[float, str]], minutes: dict[str, int]) -> Arrived:
    """The first change of each minute."""
    first: Arrived = {}
    for at, minute in changed:
        if minute in minutes:
            first.setdefault(minutes[minute], at)
    return first


def played(writer: TapeWriter, tape: Tape, looking_on: Onlookers, count: int, every: float) -> dict[str, list[float]]:
    """Put some minutes on the tape; how long each took to come to those who look on."""
    looking_on.forget()
    sent: dict[int, float] = {}
    for k in range(writer.k + 1, writer.k + 1 + count):
        bars, began = tape.bars(k), time.time()
        writer.closed(bars, began)
        sent[k] = began * 1000
        time.sleep(max(0.0, every - (time.time() - began)))
    time.sleep(SETTLED)
    return looking_on.took(sent, writer.day)


def quantile(values: list[float], share: float) -> float:
    """A quantile of some values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def prove(found: Measured, options: Options) -> None:
    """Measure every part."""
    with desk(options) as (_, writer, tape, address), chromium() as browser:

        def measure(part: str, looking_on: Onlookers, minutes: int = options.minutes) -> None:
            for what, ms in played(writer, tape, looking_on, minutes, options.every).items():
                if ms:
                    found.ms[f"{part}: {what}"] = {
                        "n": len(ms), "of": minutes * len(looking_on.pages if "cell" in what else looking_on.arrived),
                        "p50": statistics.median(ms), "p95": quantile(ms, 0.95), "p99": quantile(ms, 0.99),
                    }  # fmt: skip
            found.keep()

        pages = [opened(browser, address, found.said) for _ in range(options.real)]
        with sessions(f"{address}/live", options.browsers - options.real) as arrived:
            looking_on = Onlookers(pages, arrived)
            played(writer, tape, looking_on, 5, options.every)
            measure(ALONE, looking_on)
            slow = opened(browser, address, found.said)
            slow.context.new_cdp_session(slow).send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
            with one_that_reads_nothing(address):
                measure(BESIDE, looking_on)
            slow.context.close()
        pages += [opened(browser, address, found.said) for _ in range(options.browsers - options.real)]
        measure("all of them real, drawn by two cores", Onlookers(pages, []), options.minutes // 2)


def table(found: Measured, options: Options) -> str:
    """What was found, as a page of Markdown."""
    lines = [
        "# Browsers, looked at",
        "",
        f"{options.browsers} sessions on the live page, {options.real} of them in headless Chromium;",
        f"{options.symbols:,} symbols, a minute every {options.every:g} s, {options.minutes} minutes in each",
        "part (`make prove-browsers`). Milliseconds from a bar put on the bus. All share one machine.",
        f"The slow ones: a page on a processor throttled {THROTTLED} times, and a session that reads nothing.",
        "",
        *claimed(found.claims),
        "",
        "| who looks on: what is measured | minutes seen | p50 | p95 | p99 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, ms in found.ms.items():
        lines.append(f"| {name} | {ms['n']:,} of {ms['of']:,} | {ms['p50']:.0f} | {ms['p95']:.0f} | {ms['p99']:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read the options, prove, and write the table."""
    wanted = asked(Options, __doc__)
    found = Measured.at(wanted.out / "browsers.json", wanted.options, afresh=True)
    prove(found, wanted.options)
    return closed(wanted.out / "browsers.md", table(found, wanted.options), all_hold(found.claims))


if __name__ == "__main__":
    sys.exit(main())
