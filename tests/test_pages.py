"""The pages of a desk in a real browser: explorer, board at a minute, health; one process, and links between them."""

import contextlib
import gc
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kept
import panel as pn
import pytest
from days import tapes
from edges import cut
from fake_board import Market, make_board
from playwright.sync_api import Browser, Page, expect
from tornado.ioloop import IOLoop

from benchmarks.browser import SCROLL, SCROLLED, listen
from benchmarks.prove_browsers import one_that_reads_nothing
from scanner_kit.health import Health, State
from scanner_kit.live.pages.serving import Site, browsers, serve
from scanner_kit.views import Board

BEATS = [
    {"id": "engine:d:1", "role": "engine", "state": "leading", "version": 3, "prefix": "scanner", "redis": "r"},
    {"id": "store:d:2", "role": "store", "state": "running", "version": 3, "prefix": "scanner", "redis": "r"},
    {"id": "serve:d:3", "role": "serve", "state": "running", "version": 3, "prefix": "desk2", "redis": "r"},
]
GOOD = [
    Health("bus", State.LIVE, "it answers"),
    Health("engine", State.LIVE, "a step 1 s ago", None, {"seconds": 1.0}),
    Health("feed simulated", State.LIVE, "a bar 1 s ago"),
    Health("list hot", State.LIVE, "5 on it"),
]
BAD = [Health("store", State.FAULT, "the disk is full", None, {"mb": 0.0}), *GOOD]


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@dataclass
class Desk:
    """The served pages: their address, and the board behind them."""

    address: str
    board: Board
    market: Market

    def report(self, rows: list[Health]) -> None:
        self.board.report(rows, [{**beat, "at": time.time(), "offset": 0.0} for beat in BEATS])


def served(site: Site, over: threading.Event, **options: Any) -> None:
    """Serve in a thread, with a loop that ends with it."""
    loop = IOLoop()
    serve(site, over, **options)
    loop.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    market = Market(symbols=40, k=420)
    board = make_board(market)
    review = kept.reviewing(tmp_path_factory.mktemp("notebooks"))
    site = Site(board, kept.records(), review, roster=kept.roster())
    over, addresses = threading.Event(), list[str]()
    options: Any = {"port": 0, "ready": addresses.append, "unused_session_lifetime_milliseconds": 8_000}
    options |= {"check_unused_sessions_milliseconds": 500}
    thread = threading.Thread(target=served, args=[site, over], kwargs=options, daemon=True)
    thread.start()
    until(lambda: addresses)
    yield Desk(f"{addresses[0].replace('localhost', '127.0.0.1')}/", board, market)
    over.set()
    thread.join(20)
    assert not thread.is_alive()


@dataclass
class Seen:
    """A page, and what the console and the network had to say."""

    page: Page
    desk: Desk
    said: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        self.page.goto(self.desk.address + path)


@contextlib.contextmanager
def looking(browser: Browser, desk: Desk, width: int = 1366, height: int = 768) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": width, "height": height})
    seen = Seen(context.new_page(), desk)
    listen(seen.page, desk.address, seen.said)
    yield seen
    context.close()
    assert seen.said == []


@pytest.fixture
def seen(browser: Browser, desk: Desk) -> Iterator[Seen]:
    with looking(browser, desk) as seen:
        yield seen


def test_every_page_leads_to_the_others(seen: Seen) -> None:
    desk, page = seen.desk, seen.page
    desk.report(GOOD)
    seen.goto("")
    expect(page.locator(".heat b").first).to_be_visible()
    page.get_by_role("link", name="Explorer").click()
    expect(page.locator(".rows tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Health").click()
    expect(page.locator(".station")).to_have_count(7)
    expect(page.get_by_role("link", name="Health")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Live").click()
    expect(page.locator(".heat b").first).to_be_visible()


def symbols(page: Page) -> list[str]:
    return [str(key) for key in page.locator(".rows tbody tr").evaluate_all("rows => rows.map(row => row.dataset.key)")]


def test_pages_are_turned_and_scroll_and_selection_survive(seen: Seen) -> None:
    page = seen.page
    seen.goto("explorer?days=2025-07-02")
    expect(page.locator("td.result").first).to_have_text(re.compile("win|loss|open|no"))
    first = symbols(page)
    assert len(first) == 100
    page.locator(".rows tbody tr").nth(20).click()
    expect(page.locator(".look .symbol")).to_be_visible()
    page.evaluate(SCROLLED, [".rows .list", 300])
    page.get_by_role("button", name="The page after").click()
    expect(page.locator(".foot .muted")).to_have_text("Page 2")
    assert set(first).isdisjoint(symbols(page))
    assert page.evaluate(SCROLL, ".rows .list") == 0
    page.get_by_role("button", name="The page before").click()
    expect(page.locator(".foot .muted")).to_have_text("Page 1")
    assert symbols(page) == first
    until(lambda: page.evaluate(SCROLL, ".rows .list") == 300)
    assert page.locator("tbody tr.chosen[data-key]").get_attribute("data-key") == first[20]


def test_filters_are_in_the_address_and_a_link_brings_them_back(seen: Seen, browser: Browser) -> None:
    page = seen.page
    seen.goto("explorer")
    expect(page.locator(".rows tbody tr").first).to_be_visible()
    page.get_by_label("Scanner", exact=True).select_option("lod_break")
    page.get_by_label("Severity at least").fill("60")
    page.get_by_label("Severity at least").press("Enter")
    page.get_by_label("Metric", exact=True).select_option("rvol_tod")
    page.get_by_label("Value of the metric").fill("1.2")
    page.get_by_label("Value of the metric").press("Enter")
    expect(page.locator(".asked .line .chip")).to_have_text("rvol_tod ≥ 1.2")
    page.wait_for_url(re.compile(r"\?scanner=lod_break&severity=60&metric=rvol_tod"))
    found, link = symbols(page), page.url
    assert found
    assert set(page.locator("td.scanner").all_inner_texts()) == {"LOD break"}
    with looking(browser, seen.desk) as other:
        other.page.goto(link)
        expect(other.page.locator(".asked .line .chip")).to_have_text("rvol_tod ≥ 1.2")
        until(lambda: symbols(other.page) == found)


def test_what_cannot_be_asked_is_said_where_one_looks(seen: Seen) -> None:
    page = seen.page
    seen.goto("explorer")
    expect(page.locator(".rows tbody tr").first).to_be_visible()
    page.get_by_label("Severity at least").fill("much")
    page.get_by_label("Severity at least").press("Enter")
    expect(page.locator(".asked .fault")).to_contain_text("A severity is a number; found 'much'.")


def test_a_look_shows_chart_outcome_and_reasons_and_writes_a_notebook(seen: Seen) -> None:
    page = seen.page
    seen.goto("explorer?days=2025-07-02&scanner=hod_break")
    page.locator(".rows tbody tr").first.click()
    expect(page.locator(".look canvas").first).to_be_visible()
    expect(page.locator("table.after tr")).to_have_count(6)
    expect(page.locator("table.conditions tr.yes").first).to_be_visible()
    page.get_by_role("button", name="Write a small notebook that makes this decision again").click()
    expect(page.locator(".look .spoken")).to_contain_text("Written to")
    written = Path(page.locator(".look .spoken").inner_text().removeprefix("Written to "))
    assert json.loads(written.read_text())["cells"]
    page.keyboard.press("Escape")
    expect(page.locator(".look .symbol")).to_be_hidden()


def listed(page: Page, name: str) -> list[str]:
    return page.locator(f".tile[data-list={name}] .line .symbol").all_inner_texts()


def test_the_board_of_any_minute_is_a_link_away_and_steps_by_keys(seen: Seen) -> None:
    page = seen.page
    seen.goto("explorer?view=board&day=2025-07-03&time=09:37")
    expect(page.get_by_label("Time in New York")).to_have_value("09:37")
    standing = kept.records().standing(tapes()[2].universe.day.date, 336)
    assert standing is not None
    expect(page.locator(".heat .symbol")).to_have_text([symbol for symbol, _ in standing.lists["hot"]])
    shown = listed(page, "high_volume")
    assert shown == [symbol for symbol, _ in standing.lists["high_volume"]][: len(shown)]
    page.get_by_role("button", name="A minute on").click()
    expect(page.get_by_label("Time in New York")).to_have_value("09:38")
    page.locator(".minute .said").click()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Time in New York")).to_have_value("09:37")
    page.get_by_label("Minute of the board").fill("400")
    expect(page.get_by_label("Time in New York")).to_have_value("15:41")
    page.wait_for_url(re.compile(r"day=2025-07-03&time=15:41$"))


def test_health_shows_the_chain_and_the_worst_first_never_by_colour_alone(seen: Seen) -> None:
    desk, page = seen.desk, seen.page
    desk.report(BAD)
    seen.goto("health")
    first = page.locator(".all tbody tr").first
    expect(first).to_have_text(re.compile(r"FAULT\s*store\s*the disk is full"))
    station = page.locator(".station[data-station=store]")
    expect(station.locator(".word")).to_have_text("FAULT")
    expect(station).to_have_class(re.compile("red"))
    expect(page.locator("td.differs")).to_have_text(["desk2"])
    desk.report(GOOD)
    expect(page.locator(".all tbody tr").first).not_to_contain_text("FAULT")
    expect(page.locator(".station[data-station=store] .word")).to_have_text("NO SIGN")


def test_steps_are_drawn_as_they_come(seen: Seen) -> None:
    desk, page = seen.desk, seen.page
    desk.report(GOOD)
    seen.goto("health")
    expect(page.locator(".station").first).to_be_visible()
    desk.market.step()
    scan, now = desk.market.scan(), time.time()
    scan.due, scan.at = now - 0.5, now - 0.3
    desk.board.publish(scan)
    cells = page.locator(".figures tbody tr").first.locator("td")
    expect(cells.nth(1)).to_have_text("200 ms")


def answered(desk: Desk) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{desk.address}api/health", timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_machines_are_told_200_while_all_is_well_and_503_with_the_reason_otherwise(desk: Desk) -> None:
    desk.report(GOOD)
    status, body = answered(desk)
    assert (status, body["status"], len(body["rows"])) == (200, "ok", 4)
    desk.report(BAD)
    status, body = answered(desk)
    assert (status, body["status"], body["said"]) == (503, "broken", "store: the disk is full")
    assert body["processes"]["serve:d:3"]["differs"] == ["prefix"]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
@pytest.mark.parametrize("path", ["explorer?days=2025-07-02", "explorer?view=board", "health", "live"])
def test_nothing_hangs_over_the_edge_of_a_screen(
    browser: Browser, desk: Desk, path: str, width: int, height: int
) -> None:
    desk.report(GOOD)
    with looking(browser, desk, width, height) as seen:
        seen.goto(path)
        expect(seen.page.locator(".rows tbody tr, .heat b, .station").first).to_be_attached()
        seen.page.wait_for_timeout(500)
        whole = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        assert seen.page.evaluate(whole) == [width, height]


FULL = [
    Health(
        "feed simulated", State.STALE, "no bar of any symbol for 190 s", None, {"seconds": 190.0, "bytes": 67_104.0}
    ),
    Health("list gappers_down", State.LIVE, "it rests on feed simulated", None, {"rows": 20.0}),
    *BAD,
]


@pytest.mark.parametrize("width", [700, 920])
@pytest.mark.parametrize(
    "path", ["live", "explorer?days=2025-07-02", "explorer?days=2025", "explorer?view=board", "health"]
)
def test_nothing_is_cut_or_hidden_at_the_width_of_a_cell(browser: Browser, desk: Desk, path: str, width: int) -> None:
    desk.report(FULL)
    with looking(browser, desk, width, 860) as seen:
        page = seen.page
        seen.goto(path)
        shown = {"live": ".heat b", "explorer?view=board": ".heat b", "health": ".all tbody tr"}
        expect(page.locator(shown.get(path, ".rows tbody tr")).first).to_be_visible()
        until(lambda: cut(page) == [])
        if path == "explorer?days=2025-07-02":
            for name in ("Value of the metric", "Order"):
                page.get_by_label(name, exact=True).click(trial=True)
            page.get_by_role("button", name="Ask for this metric too").click(trial=True)
            page.locator(".rows tbody tr").first.click()
            expect(page.locator("table.after tr")).to_have_count(6)
            until(lambda: cut(page) == [])
        assert page.evaluate("document.documentElement.scrollWidth") == width


def documents() -> int:
    gc.collect()
    return sum(
        1 for one in gc.get_objects() if type(one).__name__ == "Document" and type(one).__module__.startswith("bokeh")
    )


def test_thirty_sessions_that_came_and_went_leave_nothing(browser: Browser, desk: Desk) -> None:
    def visits(count: int) -> None:
        for i in range(count):
            context = browser.new_context()
            page = context.new_page()
            page.goto(desk.address + ("live", "explorer?days=2025-07-02", "health")[i % 3])
            expect(page.locator(".heat b, .rows tbody tr, .station").first).to_be_visible()
            context.close()

    there = documents()
    visits(3)
    until(lambda: desk.board.sessions == 0, 30)
    until(lambda: documents() <= there + 1, 40)  # one is kept for ever by a context of the loop
    before = documents(), len(pn.state._views)
    visits(30)
    until(lambda: desk.board.sessions == 0, 30)
    until(lambda: (documents(), len(pn.state._views)) <= before, 30)


def test_a_browser_that_reads_nothing_is_let_go_of() -> None:
    board, over, addresses = make_board(Market(symbols=10, k=420)), threading.Event(), list[str]()
    options: Any = {"port": 0, "ready": addresses.append, "websocket_ping_interval": 0.5}
    options |= {"unused_session_lifetime_milliseconds": 500, "check_unused_sessions_milliseconds": 100}
    thread = threading.Thread(target=served, args=[Site(board, kept.records()), over], kwargs=options, daemon=True)
    thread.start()
    try:
        until(lambda: addresses)
        with one_that_reads_nothing(addresses[0].replace("localhost", "127.0.0.1")):
            until(lambda: board.sessions == 1)
            until(lambda: browsers() == 1)
            until(lambda: board.sessions == 0)
    finally:
        over.set()
        thread.join(20)
