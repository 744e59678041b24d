"""Heat maps: what each cell tells, what is hatched, what is outlined, and what is said beneath."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import panel as pn
import pytest
from bokeh.models import HoverTool
from days import made_up
from playwright.sync_api import Browser, Page, expect

from benchmarks.serving import serving
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.plateau import plateau
from scanner_kit.tuning.sweep import Sweep
from scanner_kit.views import heat_maps
from scanner_kit.views.serve import extension
from scanner_kit.views.sweep import cells_of

GRID = {"min_rvol": [1.0, 2.0, 3.0, 4.0, 5.0], "min_price": [1.0, 5.0, 10.0, 20.0], "cooldown": [5.0, 15.0]}


def swept(days: int = 1) -> Sweep:
    mean, n = np.full((5, 4, 2), -0.1), np.full((5, 4, 2), 60.0)
    mean[2:, :3] = 0.3
    mean[0, 3], n[0, 3] = 4.0, 2
    return made_up(GRID, mean.ravel(), n.ravel(), days)


def figures(view: Any) -> list[Any]:
    return [pane.object for pane in view.select(pn.pane.Bokeh)]


def texts(view: Any) -> str:
    return "\n".join(str(one.object) for one in view.select(lambda it: hasattr(it, "object")))


def source(plot: Any) -> dict[str, Any]:
    return dict(plot.renderers[0].data_source.data)


def test_a_cell_tells_all_figures_of_its_setting() -> None:
    one = plateau(swept())
    cells = cells_of(one, one.slice("min_rvol", "min_price"))
    at = cells["setting"].index("Min RVOL 3, Min price 5, Cooldown 5")
    assert {name: values[at] for name, values in cells.items() if isinstance(values[at], str)} == {
        "x": "3",
        "y": "5",
        "setting": "Min RVOL 3, Min price 5, Cooldown 5",
        "mean": "+0.30 R",
        "score": f"{one.score[2, 1, 0]:+.2f} R",
        "interval": "unknown to unknown",
        "win_rate": "50.0 %",
        "profit_factor": "unknown",
        "n": "60",
        "triggers": "60",
        "tradable": "60",
    }


def test_cells_with_few_results_are_hatched_with_their_n_and_have_no_colour() -> None:
    for plot, figure, words in zip(figures(heat_maps(swept())), ("mean_r", "score_r"), ("mean", "score"), strict=True):
        cells = source(plot)
        at = [i for i, n in enumerate(cells["n"]) if n == "2"]
        assert len(at) == 1
        assert cells[f"{figure}_hatch"][at[0]] == "/"
        assert cells[f"{figure}_alpha"][at[0]] == 0
        assert cells[f"{words}_at"][at[0]] == "n 2"
        assert sum(hatch == "/" for hatch in cells[f"{figure}_hatch"]) == 1


def test_the_suggested_setting_is_outlined_and_said() -> None:
    view = heat_maps(swept())
    one = plateau(swept())
    assert one.suggested is not None
    outlined = figures(view)[0].renderers[-1].data_source.data
    at = [f"{one.suggested[name]:g}" for name in ("min_rvol", "min_price")]
    assert [outlined["x"], outlined["y"]] == [[at[0]], [at[1]]]
    assert one.line in texts(view)
    assert "Suggested: " in texts(view)


def test_too_few_days_for_walk_forward_are_on_the_screen() -> None:
    assert "12 days: too few for walk-forward with 20 days to choose on and 5 days to judge on" in texts(
        heat_maps(swept(days=12))
    )
    assert re.search(r"Walk-forward: .* on 10 days that the choice had not seen", texts(heat_maps(swept(days=30))))


def test_other_thresholds_are_chosen_on_the_screen() -> None:
    view = heat_maps(swept(), "min_rvol", "cooldown")
    controls = {control.label: control for control in view[0]}
    assert [label for label, control in controls.items() if control.visible] == ["Across", "Up", "Min price"]
    assert [source(plot)["setting"][0] for plot in figures(view)] == ["Min RVOL 1, Min price 5, Cooldown 5"] * 2
    controls["Min price"].value = 20.0
    assert [source(plot)["setting"][0] for plot in figures(view)] == ["Min RVOL 1, Min price 20, Cooldown 5"] * 2
    controls["Up"].value = "min_rvol"  # which is across already
    assert (controls["Across"].value, controls["Up"].value) == ("min_rvol", "min_price")


def test_both_maps_have_one_scale_and_hover_with_every_figure() -> None:
    one, other = figures(heat_maps(swept()))
    assert (one.x_range, one.y_range) == (other.x_range, other.y_range)
    assert list(one.x_range.factors) == ["1", "2", "3", "4", "5"]
    for plot in (one, other):
        (hover,) = plot.select(HoverTool)
        told = " ".join(text for _, text in hover.tooltips)
        for name in ("setting", "mean", "interval", "score", "win_rate", "profit_factor", "n", "triggers", "tradable"):
            assert f"@{name}" in told


@pytest.mark.parametrize("dark", [True, False])
def test_they_are_drawn_for_a_dark_page_and_for_a_light_one(dark: bool) -> None:
    plots = figures(heat_maps(swept(), dark=dark))
    assert {plot.title.text_color for plot in plots} == {"#e6ebf2" if dark else "#18202b"}
    assert {plot.background_fill_color for plot in plots} == {None}


def test_a_sweep_of_one_threshold_is_a_row() -> None:
    found = made_up({"min_rvol": GRID["min_rvol"]}, np.full(5, 0.2), np.full(5, 40.0))
    assert list(figures(heat_maps(found))[0].y_range.factors) == [""]


def test_a_search_has_no_map() -> None:
    whole = swept()
    searched = Sweep(whole.history, whole.scanner, whole.settings, whole.ids, whole.by_day, "30m", 5.0, 0)
    with pytest.raises(InvalidInput, match="A plateau needs a grid"):
        heat_maps(searched)


# In a browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    extension()
    page = {"/": lambda: heat_maps(swept())}
    with serving(lambda: pn.serve(page, port=0, threaded=True, show=False)) as address:
        yield address


def test_in_a_browser_a_cell_tells_its_setting_and_follows_what_is_chosen(browser: Browser, address: str) -> None:
    page, said = browser.new_page(viewport={"width": 1366, "height": 768}), []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: said.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    page.goto(address)
    expect(page.get_by_text("Suggested: ")).to_be_visible()
    maps = page.locator(".bk-Canvas")
    expect(maps).to_have_count(2)
    for one in (maps.first, maps.last):
        _await(partial(_tells, page, one, r"Min RVOL 3, Min price \d+, Cooldown 5"))
        expect(page.locator(".bk-Tooltip:visible")).to_contain_text("Neighbourhood")
    page.get_by_label("Cooldown").click()
    page.get_by_role("menuitem", name="15", exact=True).click()
    for one in (maps.first, maps.last):
        _await(partial(_tells, page, one, r"Min RVOL 3, Min price \d+, Cooldown 15"))
    assert said == []
    page.close()


def _tells(page: Page, canvas: Any, setting: str) -> bool:
    return re.fullmatch(setting, _over(page, canvas)) is not None


def _over(page: Page, canvas: Any) -> str:
    """The setting that is told where the pointer stands: a little below the middle of a map."""
    page.mouse.move(0, 0)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.55 * box["height"])
    page.wait_for_timeout(100)
    told = page.locator(".bk-Tooltip:visible .bk-tooltip-row-value").all_inner_texts()
    return told[0] if told else ""


def _await(done: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
