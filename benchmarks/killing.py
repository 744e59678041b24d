"""A desk whose processes are killed, or cut off from the bus, at moments that a seed draws; and what came of its day.

The server of the bus, an ingest, two engines and a writer of the store are processes of their own. Each talks to the
server over a line of its own, which can be cut. Who was killed is started again after a while, as a supervisor does.
"""

import contextlib
import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from scanner_kit.bus.board import triggers_of
from scanner_kit.bus.connection import Bus, connect, persist
from scanner_kit.bus.plain import plain_trigger, unpacked
from scanner_kit.bus.steps import Step, step_after
from scanner_kit.bus.tape import TapeReader
from scanner_kit.calendar import Session, TradingDay
from scanner_kit.live.feed.feeds import SimulatedFeed
from scanner_kit.live.ingest import ingest
from scanner_kit.live.scanning import scan
from scanner_kit.live.storing import keep
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.store import open_store

PREFIX = "desk"
WORKERS = ("ingest", "engine", "engine-2", "store")
BUS = "bus"
HIT = (BUS, *WORKERS)
LEASE_SECONDS = 2.0
DOWN = (0.0, 1.5)
"""For how many seconds, from and to, who was killed or cut off stays so."""
Fields = Any


@dataclass(frozen=True)
class Day:
    """Which day is played, and how fast: the minutes before `start_k` at once."""

    symbols: int = 40
    seed: int = 7
    start_k: int = 300
    seconds: float = 75.0

    @property
    def market(self) -> SimulatedMarket:
        """The market of the day."""
        return SimulatedMarket(symbols=self.symbols, seed=self.seed)

    @property
    def date(self) -> TradingDay:
        """The day."""
        return TradingDay.of(self.market.day)

    @property
    def speed(self) -> float:
        """How many times as fast as it was the day is played, so that it lasts `seconds`."""
        return (self.date.minutes - self.start_k) * 60.0 / self.seconds if self.seconds else 1e9


class Line:
    """A socket that leads to another, until it is cut."""

    def __init__(self, at: Path, to: Path) -> None:
        self._to, self._cut = str(to), threading.Event()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(at))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection, whatever is under way on it, and let nobody in until it is mended."""
        self._cut.set()
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for ends in pairs:
            for end in ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let in whoever comes."""
        self._cut.clear()

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                try:
                    if self._cut.is_set():
                        raise ConnectionRefusedError
                    far.connect(self._to)
                except OSError:
                    near.close()
                    far.close()
                    continue
                with self._lock:
                    self._pairs.add((near, far))
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target, (near, far)), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@dataclass
class Desk:
    """The processes of a desk in a folder; `log` says what was done to them."""

    folder: Path
    day: Day
    forming_seconds: float = 0.05
    done: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Desk":
        self.folder.mkdir(parents=True)
        # What forks is started once, with everything imported: a process that is started again is there at once.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._socket = self.folder / "r.sock"
        self._start_server()
        self.lines = {role: Line(self.folder / f"{role}.sock", self._socket) for role in WORKERS}
        self.bus: Bus = connect(f"unix://{self._socket}", PREFIX, check=False)
        persist(self.bus.redis.ping, threading.Event())
        self._workers = {role: self._started(role) for role in WORKERS}
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers.values():
            worker.join(15)
            worker.kill()
        self.bus.close()
        for line in self.lines.values():
            line.close()
        self._server.kill()
        self._server.wait()

    @property
    def store(self) -> Path:
        """The file of the store."""
        return self.folder / "store.db"

    def kill(self, role: str, seconds: float) -> None:
        """SIGKILL a process, and start it again after some seconds."""
        self.done[role] += 1
        if role == BUS:
            self._server.kill()
            self._server.wait()
            time.sleep(seconds)
            self._start_server()
            return
        worker = self._workers[role]
        worker.kill()
        worker.join()
        time.sleep(seconds)
        self._workers[role] = self._started(role)

    def cut(self, role: str, seconds: float) -> None:
        """Cut a process off from the bus for some seconds; for the bus itself, everybody."""
        self.done[role] += 1
        lines = list(self.lines.values()) if role == BUS else [self.lines[role]]
        for line in lines:
            line.cut()
        time.sleep(seconds)
        for line in lines:
            line.mend()

    def dead(self) -> list[str]:
        """Who ended without being killed, and was started again."""
        ended = [role for role, worker in self._workers.items() if not worker.is_alive()]
        for role in ended:
            self._workers[role] = self._started(role)
        return ended

    def is_over(self) -> bool:
        """Whether the whole day is on the tape, published and stored."""
        last, day = self.day.date.minutes - 1, self.day.date
        try:
            ended = self.bus.redis.hexists(self.bus.keys.writers(day.date), "ended")
            newest: Any = self.bus.redis.xrevrange(self.bus.keys.scans(day.date), count=1)
        except Exception:  # it is down: not yet
            return False
        if not ended or not newest or newest[0][1][b"k"] != str(last).encode() or newest[0][1][b"forming"] != b"0":
            return False
        with open_store(self.store) as store:
            return last in store.minutes(day.date)

    def _start_server(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program is not None, "no redis-server on PATH"
        self._socket.unlink(missing_ok=True)
        said = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(self.folder), "--save", ""]
        said += ["--appendonly", "yes", "--appendfsync", "everysec"]
        self._server = subprocess.Popen([program, *said], stdout=subprocess.DEVNULL)

    def _started(self, role: str) -> BaseProcess:
        line = f"unix://{self.folder / f'{role}.sock'}"
        work = self._context.Process(
            target=_work, args=(role, line, self.folder, self.day, self.forming_seconds), daemon=True
        )
        work.start()
        return work


def _work(role: str, url: str, folder: Path, day: Day, forming_seconds: float) -> None:
    """A process of the desk: it begins as the command of its name does."""
    log = (folder / f"{role}.log").open("a")
    logging.basicConfig(level=logging.INFO, stream=log, format="%(asctime)s %(message)s")
    sys.stderr = log
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    bus = connect(url, PREFIX, check=False)
    if role == "ingest":
        pace: dict[str, Any] = {"speed": day.speed, "start_k": day.start_k}
        ingest(bus, SimulatedFeed(day.market), over=over, days=1, forming_seconds=forming_seconds, **pace)
    elif role == "store":
        keep(bus, folder / "store.db", over)
    else:
        scan(bus, over, lease_seconds=LEASE_SECONDS)


@dataclass(frozen=True)
class Came:
    """What came of a day: the closed minutes of the tape, the lists and triggers published, and what is stored."""

    tape: list[Any]
    lists: dict[int, Any]
    triggers: list[Any]
    stored_lists: dict[int, Any]
    stored_triggers: list[Any]

    @classmethod
    def of(cls, desk: Desk) -> "Came":
        """What came of the day of a desk."""
        day, lists = desk.day.date, dict[int, Any]()
        for fields in _scans(desk.bus, day):
            if fields[b"forming"] == b"0":
                assert int(fields[b"k"]) not in lists, f"k={int(fields[b'k'])} was published twice"
                lists[int(fields[b"k"])] = _order(unpacked(fields[b"lists"]))
        published = [_said(plain_trigger(one)) for one in triggers_of(desk.bus, day.date)]
        with open_store(desk.store) as store:
            boards = {k: store.board_at(day.date, k) for k in store.minutes(day.date)}
            stored = {k: _order(board.lists) for k, board in boards.items() if board is not None}
            rows = sorted((_said(row) for row in store.of_day(day.date)), key=_identity)
        return cls(_closed(desk.bus, day), lists, sorted(published, key=_identity), stored, rows)

    def differences(self, other: "Came") -> list[str]:
        """In what it differs from another; nothing is none."""
        found = []
        for name in ("tape", "lists", "triggers", "stored_lists", "stored_triggers"):
            own, its = json.dumps(getattr(self, name)), json.dumps(getattr(other, name))
            if own != its:
                counts = len(getattr(self, name)), len(getattr(other, name))
                found.append(f"{name} differ ({counts[0]} and {counts[1]})")
        return found


def torn(desk: Desk) -> list[str]:
    """What is wrong with what was published, in itself: a step lost or twice, changes that do not give the lists."""
    day, wrong = desk.day.date, list[str]()
    step = Step(day.date, "", -1, day.time(0), Session.PRE, False, 0, {})
    identities = Counter(one.trigger.identity for one in triggers_of(desk.bus, day.date))
    wrong += [f"trigger {identity} was published {count} times" for identity, count in identities.items() if count > 1]
    for fields in _scans(desk.bus, day):
        following = step_after(step, day.date, fields)
        if following is None:
            return [*wrong, f"after step {step.n} (k={step.k}) the changes do not go on"]
        step = following
        if not step.forming:
            whole = unpacked(fields[b"lists"])
            own = {name: [symbol for symbol, _ in its.rows] for name, its in step.lists.items()}
            if own != {name: [symbol for symbol, _ in its["rows"]] for name, its in whole.items()}:
                wrong.append(f"at k={step.k} the changes do not give the lists")
            if any(its.seq != whole[name]["seq"] for name, its in step.lists.items()):
                wrong.append(f"at k={step.k} the sequence numbers differ")
    return wrong


def read_again(desk: Desk, generator: random.Random, times: int = 20) -> list[str]:
    """From where the tape could not be read again with the same entries following."""
    whole = _entries(TapeReader(desk.bus, desk.day.date), "0-0")
    wrong = []
    for at in generator.sample(range(len(whole)), min(times, len(whole))):
        again = _entries(TapeReader(desk.bus, desk.day.date), whole[at][0])
        if again != whole[at + 1 :]:
            wrong.append(f"from {whole[at][0]} on")
    return wrong


def hits(generator: random.Random, number: int, over: float) -> Iterator[tuple[float, str, float]]:
    """When, over so many seconds, whom, and for how long: as many as asked for, everybody about as often."""
    moments = sorted(generator.uniform(0.0, over) for _ in range(number))
    order = [HIT[i % len(HIT)] for i in range(number)]
    generator.shuffle(order)
    for moment, role in zip(moments, order, strict=True):
        yield moment, role, generator.uniform(*DOWN)


def disturb(desk: Desk, plan: Iterator[tuple[float, str, float]], by: Callable[[str, float], None]) -> None:
    """Do what was drawn, each at its moment, each in a thread of its own: one that is down keeps nobody waiting."""
    began, busy = time.monotonic(), {role: threading.Lock() for role in HIT}

    def hit(role: str, seconds: float) -> None:
        with busy[role]:
            by(role, seconds)

    threads = []
    for moment, role, seconds in plan:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        threads.append(threading.Thread(target=hit, args=(role, seconds)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _scans(bus: Bus, day: TradingDay) -> Iterator[Fields]:
    entries: Any = bus.redis.xrange(bus.keys.scans(day.date))
    return (fields for _, fields in entries)


def _entries(reader: TapeReader, after: str) -> list[Any]:
    found = []
    while entries := reader.read(after):
        found += [(entry.id, entry.kind, entry.bars and _bars(entry.bars)) for entry in entries]
        after = entries[-1].id
    return found


def _closed(bus: Bus, day: TradingDay) -> list[Any]:
    return [bars for _, kind, bars in _entries(TapeReader(bus, day), "0-0") if kind == "closed"]


def _bars(bars: Any) -> list[Any]:
    columns = ("open", "high", "low", "close", "volume", "vwap")
    return [bars.k, *([repr(value) for value in getattr(bars, name).tolist()] for name in columns)]


def _order(lists: dict[str, Any]) -> dict[str, Any]:
    """The symbols and scores of each list: the figures beside them may be those of an earlier minute so far."""
    told = {name: [[symbol, figures["score"]] for symbol, figures in its["rows"]] for name, its in lists.items()}
    return dict(sorted(told.items()))


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """A trigger without how late it was announced, and the id of its entry: these are of one run."""
    told = {name: value for name, value in row.items() if name not in ("late", "entry")}
    return dict(json.loads(json.dumps(told, default=str, sort_keys=True)))


def _identity(row: dict[str, Any]) -> str:
    return str(row["identity"])
