"""The live page in a real browser: it follows the board, keeps what one reads, answers, and asks nobody outside."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import panel as pn
import pytest
from bokeh.plotting import figure
from fake_board import DAY, Market, Trigger, make_board
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import READ, SCROLL, SCROLLED, listen
from benchmarks.serving import serving, until
from scanner_kit import views
from scanner_kit.views import Board


@dataclass
class Desk:
    """A page and the market behind it; `said` is what the console and the network had to say."""

    page: Page
    market: Market
    board: Board
    said: list[str] = field(default_factory=list)

    def step(self, **changes: Any) -> None:
        self.market.step()
        scan = self.market.scan()
        scan.__dict__.update({"triggers": (), **changes})
        self.board.publish(scan)

    def fire(self, symbol: str, severity: float = 99.0, scanner: str = "hod_break") -> None:
        self.step(triggers=(Trigger(DAY.time(self.market.k + 1), "REGULAR", symbol, scanner, severity=severity),))


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Market, Board, str]]:
    market = Market(symbols=60, k=420)
    board = make_board(market)
    with serving(lambda: views.serve(board, port=0, threaded=True)) as address:
        yield market, board, address


@pytest.fixture
def desk(browser: Browser, served: tuple[Market, Board, str]) -> Iterator[Desk]:
    market, board, url = served
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    desk = Desk(context.new_page(), market, board)
    listen(desk.page, url, desk.said)
    desk.page.goto(url)
    desk.page.wait_for_selector(".heat b")
    yield desk
    context.close()
    assert desk.said == []


def enter(page: Page, label: str, text: str) -> None:
    """Write into a control and press Enter, when the control has drawn what was written."""
    control = page.get_by_label(label)
    control.fill(text)
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn, 100)))")
    control.press("Enter")


def first_price(page: Page) -> str:
    return page.locator("tbody tr td.last").first.inner_text()


def test_simulated_data_is_labelled(desk: Desk) -> None:
    expect(desk.page.locator(".badge")).to_have_text("SIMULATED")


def test_health_shows_the_worst_and_its_reason(desk: Desk) -> None:
    expect(desk.page.locator(".light > .word")).to_have_text("WARMING")
    expect(desk.page.locator(".light > .dot")).to_have_class("dot amber")
    desk.page.hover(".light")
    expect(desk.page.locator(".reasons")).to_contain_text("usual_volume is unknown for 61 %")


def test_all_eleven_lists_are_there_with_their_counts(desk: Desk) -> None:
    expect(desk.page.locator(".tab")).to_have_count(12)
    expect(desk.page.locator(".tile")).to_have_count(12)
    count = len(desk.board.state("lists")["lists"]["gappers_up"])
    expect(desk.page.locator(".tab[data-list=gappers_up] .count")).to_have_text(str(count))


def test_rows_change_without_a_reload(desk: Desk) -> None:
    desk.page.click(".tab[data-list=high_volume]")
    before = first_price(desk.page)
    desk.step()
    expect(desk.page.locator("tbody tr td.last").first).not_to_have_text(before)


def test_an_update_keeps_scroll_and_selection_of_a_list(desk: Desk) -> None:
    page = desk.page
    page.click(".tab[data-list=high_volume]")
    page.locator("tbody tr").nth(2).click()
    symbol = page.locator("tbody tr.chosen").get_attribute("data-symbol")
    page.evaluate(SCROLLED, [".sheet", 40])
    desk.step()
    desk.step()
    page.wait_for_timeout(300)
    assert page.evaluate(SCROLL, ".sheet") == 40
    assert page.locator("tbody tr.chosen").get_attribute("data-symbol") == symbol


def test_a_column_sorts(desk: Desk) -> None:
    desk.page.click(".tab[data-list=high_volume]")
    desk.page.click("th.change .sort")
    shown = [text.replace("−", "-").rstrip("%") for text in desk.page.locator("tbody td.change").all_inner_texts()]
    assert shown == sorted(shown, key=float, reverse=True)


def test_a_pinned_symbol_stays_on_top_and_is_remembered(desk: Desk) -> None:
    page = desk.page
    page.click(".tab[data-list=high_volume]")
    row = page.locator("tbody tr").nth(4)
    symbol = row.get_attribute("data-symbol")
    row.locator("button.pin").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-symbol", str(symbol))
    page.reload()
    expect(page.locator("tbody tr").first).to_have_attribute("data-symbol", str(symbol))


def test_find_filters_lists_and_tape(desk: Desk) -> None:
    desk.page.click(".tab[data-list=high_volume]")
    symbol = str(desk.page.locator("tbody tr").first.get_attribute("data-symbol"))
    desk.page.keyboard.press("/")
    desk.page.keyboard.type(symbol.lower())
    expect(desk.page.locator("tbody tr").first).to_have_attribute("data-symbol", symbol)
    assert all(symbol in text for text in desk.page.locator("tbody td.symbol").all_inner_texts())


def test_a_symbols_page_elsewhere_opens_in_a_new_tab(desk: Desk) -> None:
    desk.page.click(".tab[data-list=high_volume]")
    row = desk.page.locator("tbody tr").first
    link = row.locator("a.away")
    symbol = row.get_attribute("data-symbol")
    assert link.get_attribute("href") == f"https://finance.yahoo.com/quote/{symbol}"
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener noreferrer")


def test_a_new_trigger_comes_on_top(desk: Desk) -> None:
    desk.fire("NVDA")
    expect(desk.page.locator(".tape .row .symbol").first).to_have_text("NVDA")


def test_triggers_of_no_severity_wait_for_everything(desk: Desk) -> None:
    desk.fire("BRK.B", severity=12.0)
    desk.page.wait_for_timeout(300)
    assert "BRK.B" not in desk.page.locator(".tape .row .symbol").first.inner_text()
    desk.page.locator(".which input").check(force=True)
    expect(desk.page.locator(".tape .row .symbol").first).to_have_text("BRK.B")


def test_one_who_reads_below_is_not_moved_but_told(desk: Desk) -> None:
    page = desk.page
    page.locator(".which input").check(force=True)
    page.evaluate(SCROLLED, [".tape .list", 460])
    page.wait_for_timeout(200)
    before = page.evaluate(READ)
    desk.fire("NVDA")
    expect(page.locator(".news")).to_have_text("1 new ↑")
    assert page.evaluate(READ) == before
    page.click(".news")
    expect(page.locator(".news")).to_be_hidden()


def mute(page: Page, symbol: str, entry: str) -> None:
    row = page.locator(f".tape .row[data-symbol='{symbol}']").first
    row.hover()
    row.locator(".mute").click()
    page.get_by_role("menuitem", name=entry).click()


def test_a_muted_symbol_leaves_the_tape_and_is_counted_until_it_is_heard_again(desk: Desk) -> None:
    page = desk.page
    desk.fire("NVDA")
    mute(page, "NVDA", "Mute NVDA")
    rows = page.locator(".tape .row[data-symbol=NVDA]")
    expect(rows).to_have_count(0)
    desk.fire("NVDA")
    page.reload()
    expect(page.locator(".silent")).to_have_text("1 muted")
    expect(rows).to_have_count(0)
    page.click(".silent")
    page.get_by_role("menuitem", name="Hear NVDA again").click()
    expect(rows.first).to_be_visible()
    expect(page.locator(".silent")).to_be_hidden()


def test_a_line_says_what_is_left_when_one_of_its_scanners_is_muted(desk: Desk) -> None:
    page, time = desk.page, DAY.time(desk.market.k + 2)
    loud = Trigger(time, "REGULAR", "NVDA", "hod_break", severity=99.5, level=9.0, stop=8.0)
    quiet = Trigger(time, "REGULAR", "NVDA", "vwap_reclaim", severity=98.5, level=9.5, stop=9.25)
    desk.step(triggers=(loud, quiet, Trigger(time, "REGULAR", "AXL", "hod_break", severity=99.9)))
    expect(page.locator(".tape .row[data-symbol=AXL]").first).to_be_visible()
    mute(page, "NVDA", "Mute HOD break")
    row = page.locator(".tape .row[data-symbol=NVDA]").first
    expect(row.locator(".chip")).to_have_text(["VWAP reclaim"])
    expect(row.locator(".severity")).to_have_text("98.5")
    expect(row.locator(".more")).to_contain_text("level 9.50stop 9.25")
    expect(page.locator(".tape .row").first).not_to_have_attribute("data-symbol", "AXL")


def test_a_line_on_a_laptop_says_how_many_more_scanners_have_spoken(desk: Desk) -> None:
    page, time = desk.page, DAY.time(desk.market.k + 2)
    names = ("hod_break", "pmh_break", "orb_break_up", "momentum")
    desk.step(triggers=tuple(Trigger(time, "REGULAR", "AXL", name, severity=99.9) for name in names))
    chips = page.locator(".tape .row[data-symbol=AXL]").first.locator(".chips")
    expect(chips.locator(".chip")).to_have_text(["HOD break", "PMH break", "+2"])
    ends = chips.evaluate("all => [all.getBoundingClientRect().right, all.lastChild.getBoundingClientRect().right]")
    assert ends[1] <= ends[0]


def test_a_menu_of_mutes_closes_by_escape_and_leaves_the_rest_as_it_is(desk: Desk) -> None:
    page = desk.page
    desk.fire("NVDA")
    page.locator(".tape .row[data-symbol=NVDA]").first.click()
    expect(page.locator(".detail .symbol")).to_have_text("NVDA")
    page.locator(".tape .row .mute").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".menu")).to_be_hidden()
    expect(page.locator(".detail .symbol")).to_have_text("NVDA")


def test_a_click_opens_chart_and_reasons(desk: Desk) -> None:
    desk.page.locator(".heat").first.click()
    expect(desk.page.locator(".detail .symbol")).to_have_text(desk.page.locator(".heat .symbol").first.inner_text())
    expect(desk.page.locator(".detail canvas").first).to_be_visible()
    expect(desk.page.locator(".why summary")).to_have_count(20)
    desk.page.locator(".why summary").nth(11).click()
    expect(desk.page.locator(".why details[open] tr")).to_have_count(4)
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator(".detail .symbol")).to_be_hidden()


@pytest.mark.parametrize("width", [1366, 1920])
def test_names_of_levels_stand_apart_in_the_margin(desk: Desk, width: int) -> None:
    page = desk.page
    page.set_viewport_size({"width": width, "height": 768})
    page.locator(".heat").first.click()
    expect(page.locator(".detail canvas").first).to_be_visible()
    page.wait_for_function(f"() => {NAMES}.places.length > 3")
    shown = page.evaluate(NAMES)
    places, height = sorted(shown["places"]), shown["height"]
    assert all(below - above >= 14 for above, below in itertools.pairwise(places)), places
    assert all(0 <= place <= height for place in places), (places, height)
    assert set(shown["at"]) == {shown["end"]}


@pytest.mark.parametrize("width", [1366, 1600, 1920])
def test_tabs_keep_to_one_row_when_a_symbol_is_opened(desk: Desk, width: int) -> None:
    page = desk.page
    page.set_viewport_size({"width": width, "height": 768})
    height = page.locator(".tabs").bounding_box()["height"]  # type: ignore[index]
    page.locator(".heat").first.click()
    expect(page.locator(".detail .symbol")).to_be_visible()
    bar = page.locator(".tabs").bounding_box()
    tabs = [tab.bounding_box() for tab in page.locator(".tab").all()]
    assert bar is not None
    assert bar["height"] == height
    assert {round(tab["y"]) for tab in tabs if tab} == {round(bar["y"]) + 5}
    assert all(tab["x"] + tab["width"] <= bar["x"] + bar["width"] for tab in tabs if tab)


def test_a_symbol_that_is_not_known_is_said(desk: Desk) -> None:
    desk.page.fill(".find", "nosuch")
    desk.page.press(".find", "Enter")
    expect(desk.page.locator(".screen.why")).to_contain_text("has no symbol 'NOSUCH'")


def test_the_theme_is_changed_and_remembered(desk: Desk) -> None:
    paper = "getComputedStyle(document.documentElement).getPropertyValue('--panel-surface-color').trim()"
    assert desk.page.evaluate(paper) == "#151b23"
    desk.page.click("[data-tool=theme]")
    desk.page.wait_for_function(f"{paper} === '#ffffff'")
    desk.page.reload()
    desk.page.wait_for_selector(".heat b")
    assert desk.page.evaluate(paper) == "#ffffff"


def test_sound_is_armed_by_a_press_and_remembered(desk: Desk) -> None:
    bell = desk.page.locator("[data-tool=sound]")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("title", "Sound is on")


def test_the_drawer_changes_a_threshold_and_shows_why_one_is_refused(desk: Desk) -> None:
    page = desk.page
    page.click("[data-tool=settings]")
    page.click("[data-scanner=gappers_up] .head")
    enter(page, "Min gap, %", "6")
    until(lambda: desk.board.scanner("gappers_up").min_gap == 6.0)
    enter(page, "Min gap, %", "150")
    expect(page.get_by_text("Still 6.0.")).to_be_visible()
    expect(page.get_by_label("Min gap, %")).to_have_value("150")
    assert desk.board.scanner("gappers_up").min_gap == 6.0


def test_a_scanner_is_found_by_its_name_and_a_list_has_no_cooldown(desk: Desk) -> None:
    page = desk.page
    page.click("[data-tool=settings]")
    page.get_by_label("Find a scanner").fill("hod")
    expect(page.locator(".drawer .item")).to_have_count(1)
    page.get_by_label("Find a scanner").press("Enter")
    expect(page.get_by_label("Cooldown, min")).to_have_value("15")
    page.get_by_label("Find a scanner").fill("winn")
    page.click("[data-scanner=winners] .head")
    expect(page.get_by_label("Min price, $")).to_be_visible()
    expect(page.get_by_label("Cooldown, min")).to_have_count(0)


def test_what_is_being_written_into_a_threshold_is_not_overwritten(desk: Desk) -> None:
    page = desk.page
    page.click("[data-tool=settings]")
    page.click("[data-scanner=hod_break] .head")
    page.get_by_label("Min gap, %").fill("12")
    desk.board.change("hod_break", {"min_gap": 8.0, "cooldown": 20})
    expect(page.get_by_label("Cooldown, min")).to_have_value("20")
    expect(page.get_by_label("Min gap, %")).to_have_value("12")


def test_a_row_is_reached_and_opened_by_the_keyboard(desk: Desk) -> None:
    desk.page.click(".tab[data-list=high_volume]")
    desk.page.locator("tbody tr").first.focus()
    desk.page.keyboard.press("ArrowDown")
    symbol = str(desk.page.locator("tbody tr").nth(1).get_attribute("data-symbol"))
    expect(desk.page.locator(".detail .symbol")).to_have_text(symbol)


def test_the_age_grows_by_itself_when_the_server_falls_silent(desk: Desk) -> None:
    desk.page.evaluate(LATER, 60_000)
    expect(desk.page.locator(".age")).to_contain_text("server silent for")
    expect(desk.page.locator(".light > .word")).to_have_text("NO ANSWER")


def test_the_chart_goes_on_with_the_newest_bar_unless_one_has_scrolled_back(desk: Desk) -> None:
    desk.step()
    desk.page.click(".heat b >> nth=0")
    desk.page.wait_for_function(f"(() => {{ const s = {SPAN}; return s && s.last < s.end }})()")
    before = desk.page.evaluate(PLAIN)
    for _ in range(7):
        desk.step()
    desk.page.wait_for_function(f"{SPAN}.end === {before['end'] + 7 * 60_000}")
    after = desk.page.evaluate(PLAIN)
    assert (after["start"], after["last"]) == (before["start"] + 7 * 60_000, before["last"] + 7 * 60_000)
    desk.page.evaluate(f"{SPAN}.plot.x_range.setv({{start: {before['start']}, end: {before['start'] + 600_000}}})")
    until(lambda: before["start"] in starts())  # the server has heard it
    for _ in range(3):
        desk.step()
    desk.page.wait_for_function(f"{SPAN}.last === {before['last'] + 10 * 60_000}")
    assert desk.page.evaluate(PLAIN)["start"] == before["start"]


def starts() -> list[Any]:
    """Where the charts of all sessions begin, as this process knows it."""
    servers = [server for server, _, _ in list(pn.state._servers.values())]
    documents = [session.document for server in servers for session in server.get_sessions()]
    return [plot.x_range.start for document in documents for plot in document.select({"type": figure})]


SPAN = """(() => {
  const models = [...Bokeh.documents[0]._all_models.values()]
  const plot = models.find(model => model.type === "Figure")
  const bars = plot && models.find(model => model.data && "vwap" in model.data).data.x
  return plot && bars.length && {last: bars[bars.length - 1], start: plot.x_range.start, end: plot.x_range.end, plot}
})()"""
PLAIN = f"(({{plot, ...numbers}}) => numbers)({SPAN})"
NAMES = """(() => {
  const models = [...Bokeh.documents[0]._all_models.values()]
  const plot = models.find(model => model.type === "Figure")
  const {y, at, lift} = models.find(model => model.data && "lift" in model.data).data
  const pixel = price => (plot.y_range.end - price) / (plot.y_range.end - plot.y_range.start) * plot.inner_height
  const seen = y.map((_, i) => i).filter(i => isFinite(at[i]))
  const places = seen.map(i => pixel(y[i]) + lift[i])
  return {places, at: seen.map(i => at[i]), end: plot.x_range.end, height: plot.inner_height}
})()"""
LATER = """ms => { const now = performance.now.bind(performance); performance.now = () => now() + ms }"""
