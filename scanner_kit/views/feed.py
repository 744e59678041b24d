"""The board: the latest scan as plain values, published once a step and followed by every screen.

One board serves all sessions of a process. A session has a `Feed` of its own: screens bind to it and never to the
board, so that a session that ends leaves nothing behind. Steps that come faster than a session draws are drawn as one.
"""

import datetime as dt
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import panel as pn
import param
from tornado.ioloop import IOLoop

from scanner_kit.errors import InvalidInput, UnknownName, must_be
from scanner_kit.triggers import Trigger
from scanner_kit.views import lists, session, status, triggers
from scanner_kit.views.deltas import Channel, State
from scanner_kit.views.health import told

CHANNELS = ("hot", "lists", "triggers", "status", "health")
STEPS = 60
LINK = "https://finance.yahoo.com/quote/{symbol}"


class Scan(Protocol):
    """What the board takes of a scan."""

    @property
    def day(self) -> Any:
        """The trading day."""

    @property
    def k(self) -> int:
        """The minute."""

    @property
    def time(self) -> dt.datetime:
        """When the step ended."""

    @property
    def session(self) -> str:
        """PRE, REGULAR, POST or CLOSED."""

    @property
    def forming(self) -> bool:
        """Whether the minute has not closed."""

    @property
    def lists(self) -> Mapping[str, Any]:
        """Rankings by name."""

    @property
    def triggers(self) -> Sequence[Trigger]:
        """What fired in this step."""


class Board:
    """The latest scan, the day's triggers, health and thresholds, as plain values.

    Parameters
    ----------
    roster
        Scanners with the thresholds in force.
    on_change
        Takes a scanner's name and new values; raises `InvalidInput` with the sentence that the user is shown.
    explain
        Symbol → why it is on each list and fired, or not: see `views.why`.
    history
        Symbol → the day's own bars and levels: see `views.chart`.
    closes
        Symbols → their latest closes, float64 `(minutes, symbols)`, oldest first; sparklines are drawn of them.
    label
        How the data is to be called wherever it is seen: "simulated", or nothing.
    link
        Address of a symbol's page elsewhere, with `{symbol}` in it.
    """

    def __init__(
        self,
        roster: Iterable[Any] = (),
        *,
        on_change: Callable[[str, dict[str, Any]], None] | None = None,
        explain: Callable[[str], list[dict[str, Any]]] | None = None,
        history: Callable[[str], dict[str, Any]] | None = None,
        closes: lists.Closes | None = None,
        label: str = "",
        link: str = LINK,
        severity: float = triggers.SEVERITY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        must_be(Iterable, roster, "A board's roster is a list of scanners", "Write, say, [HodBreak()].")
        must_be(str, label, "A board's label is a text", "Write, say, 'simulated', or leave it out.")
        for name, asked in (("on_change", on_change), ("explain", explain), ("history", history)):
            must_be((Callable, type(None)), asked, f"A board's {name} is a function", "Leave it out for none.")
        must_be(Callable, clock, "A board's clock is a function that gives seconds", "Leave it out for time.time.")
        if not str(link).startswith(("https://", "http://")) or "{symbol}" not in link:
            raise InvalidInput(
                f"A link to a symbol's page starts with https:// and holds {{symbol}}; found {link!r}. Try {LINK}"
            )
        self.roster, self.label, self.link, self.severity, self.clock = tuple(roster), label, link, severity, clock
        self.on_change, self.explain, self.history, self.closes = on_change, explain, history, closes
        self.step = self.version = 0
        self.settings = 0
        """The number of the thresholds in force, where they are numbered."""
        self.remembers = False
        """Whether it is kept who changed a threshold, and why."""
        self.reported = 0.0
        self._day: Any = None
        self._health: Mapping[str, Any] = {}
        self._clock: dict[str, Any] = {}
        self._channels = {name: Channel() for name in CHANNELS}
        self._readers: dict[object, Callable[[], None]] = {}
        self._put_status()

    @property
    def sessions(self) -> int:
        """How many sessions follow the board."""
        return len(self._readers)

    def publish(self, scan: Scan) -> None:
        """Take a scan and tell every session; from the engine's thread or loop, for it only writes plain values."""
        hot = {name: ranking for name, ranking in scan.lists.items() if name == "hot"}
        others = {name: ranking for name, ranking in scan.lists.items() if name != "hot"}
        self._put("hot", lists.state(hot, self.closes))
        self._put("lists", lists.state(others, self.closes))
        self._clock = status.clock(scan, self.clock())
        self.step += 1
        self._put_step(scan)
        self._put_triggers(scan)
        self._put_status()
        self._tell()

    def remember(self, fired: Iterable[Trigger]) -> None:
        """Add triggers of the day that fired before the first scan, after a restart for instance."""
        self._add(fired)
        self._tell()

    def report(self, health: Iterable[Any], beats: Iterable[Mapping[str, Any]] | None = None) -> None:
        """Take the rows of health, worst first, and the beats of the processes where there are any: see `views.health`.

        Both are of the moment.
        """
        told = tuple(health)
        self._health, self.reported = status.rows(told), self.clock()
        self._put_health(told, beats)
        self._put_status()
        self._tell()

    def configure(self, roster: Iterable[Any]) -> None:
        """Take the roster with the thresholds that are in force from now on."""
        self.roster, self.version = tuple(roster), self.version + 1
        self._tell()

    def change(
        self, scanner: str, values: dict[str, Any], *, base: int | None = None, who: str = "", why: str = ""
    ) -> None:
        """Ask for other thresholds; `InvalidInput` says why not.

        `base` is the `settings` number of those that were seen when they were changed; `who` changes them, and `why`.
        """
        if self.on_change is None:
            raise InvalidInput(
                f"{scanner} cannot be changed here: this board only shows. Change it where the engine runs."
            )
        self.on_change(scanner, values)

    def scanner(self, name: str) -> Any:
        """The scanner of that name, with the thresholds in force."""
        for scanner in self.roster:
            if scanner.name == name:
                return scanner
        raise UnknownName.of("The roster has no scanner", name, [scanner.name for scanner in self.roster])

    def state(self, channel: str) -> State:
        """The latest state of a channel."""
        return self._channels[channel].state

    def message(self, channel: str, since: int = -1) -> tuple[int, str]:
        """The channel's sequence number, and what a reader of `since` needs, as JSON; empty when nothing is new."""
        return self._channels[channel].message(since, self.clock())

    def seen(self, probe: str) -> None:
        """A screen has shown a test trigger."""

    def attach(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` after every change, from whatever thread made it; returns what ends that."""
        key = object()
        self._readers[key] = notify

        def detach() -> None:
            self._readers.pop(key, None)

        return detach

    def _put(self, channel: str, state: State) -> None:
        self._channels[channel].put(state, self.clock())

    def _put_triggers(self, scan: Scan) -> None:
        if self._day not in (None, scan.day):
            self._put("triggers", {"lines": {}})
        self._day = scan.day
        self._add(scan.triggers)

    def _add(self, fired: Iterable[Trigger]) -> None:
        new = triggers.lines(fired, self.severity)
        if new:
            self._put("triggers", {"lines": triggers.add(self.state("triggers").get("lines", {}), new)})

    def _put_step(self, scan: Scan) -> None:
        """Keep when the step was due, when its bars came, when it was published and when it is here; a day's last."""
        known, now = self.state("health"), self.clock()
        steps = dict(known.get("steps", {}) if self._day in (None, scan.day) else {})
        steps[str(self.step)] = told.step_of(scan, now)
        kept = dict(list(steps.items())[-STEPS:])
        self._put("health", {**known, "steps": kept})

    def _put_health(self, rows: Sequence[Any], beats: Iterable[Mapping[str, Any]] | None) -> None:
        known = self.state("health")
        processes = known.get("processes", {}) if beats is None else told.processes_of(beats)
        chain = {name: [place, *said] for place, (name, *said) in enumerate(told.stations(rows))}
        state = {**known, "rows": told.rows_of(rows), "stations": chain, "processes": processes}
        self._put("health", {section: values for section, values in state.items() if values})

    def _put_status(self) -> None:
        self._put(
            "status", {"health": self._health, "clock": self._clock, "about": {"label": self.label, "link": self.link}}
        )

    def _tell(self) -> None:
        for notify in list(self._readers.values()):
            notify()


class Feed(param.Parameterized):
    """What one session follows of a board; its screens bind to these parameters."""

    hot = param.String(doc="Latest message of the hot list.")
    lists = param.String(doc="Latest message of the categories.")
    triggers = param.String(doc="Latest message of the tape of triggers.")
    status = param.String(doc="Latest message of health and clocks.")
    health = param.String(doc="Latest message of the whole of health.")
    beat = param.Integer(doc="Grows while the server is alive.")
    step = param.Integer(doc="Grows with every scan.")
    version = param.Integer(doc="Grows with every change of thresholds.")

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board
        self._seen = dict.fromkeys(CHANNELS, 0)
        self.asked = False
        self.pull()

    def pull(self) -> None:
        """Take what is new on the board."""
        news = {channel: self._news(channel) for channel in CHANNELS}
        self.param.update(
            step=self.board.step, version=self.board.version, **{name: text for name, text in news.items() if text}
        )

    def whole(self, channel: str) -> None:
        """Take a channel as a whole again, for a screen that saw a gap."""
        self._seen[channel], self.asked = -1, True
        self.param.update(**{channel: self._news(channel)})

    def tick(self) -> None:
        """Say that the server is alive."""
        self.beat += 1

    def _news(self, channel: str) -> str:
        self._seen[channel], text = self.board.message(channel, self._seen[channel])
        return text


def follow(board: Board) -> Feed:
    """A feed of this session, or of this notebook cell, which ends with it."""
    feed = Feed(board)
    if session.served():
        _follow_in_session(board, feed, pn.state.curdoc)
    else:
        _follow_in_notebook(board, feed)
    return feed


BEAT_MS = 2_000


def _follow_in_session(board: Board, feed: Feed, doc: Any) -> None:
    # Panel drops what changes between the first drawing of a page and its report that it is there: until then the feed
    # stands where the page does.
    loop, pending, ended = IOLoop.current(), True, False

    def draw() -> None:
        nonlocal pending
        pending = False
        with pn.io.hold(doc):
            feed.pull()

    def schedule() -> None:
        if not ended:
            doc.add_next_tick_callback(draw)

    def notify() -> None:
        nonlocal pending
        if not pending:
            pending = True
            # A document's callbacks swap the current document, for all threads: only its loop's thread may add one.
            loop.add_callback(schedule)

    def end(session_context: Any) -> None:
        nonlocal ended
        ended = True
        detach()

    detach = board.attach(notify)
    pn.state.onload(draw)
    doc.add_periodic_callback(feed.tick, BEAT_MS)  # ends with its document
    pn.state.on_session_destroyed(end)


def _follow_in_notebook(board: Board, feed: Feed) -> None:
    alive, loop, pending = weakref.ref(feed), session.kernel_loop(), False

    def draw() -> None:
        nonlocal pending
        pending = False
        if (current := alive()) is None:
            detach()
        elif loop is None or current.asked:
            current.pull()

    def notify() -> None:
        nonlocal pending
        if loop is None:
            draw()
        elif not pending:
            pending = True
            loop.call_soon_threadsafe(draw)

    detach = board.attach(notify)
