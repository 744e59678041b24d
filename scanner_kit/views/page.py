"""The live page: header, hot list, categories, tape of triggers, the chosen symbol, and the settings drawer."""

from typing import Any

import panel as pn

from scanner_kit.errors import InvalidInput, short
from scanner_kit.views import session
from scanner_kit.views.component import asset
from scanner_kit.views.detail import Detail
from scanner_kit.views.drawer import Drawer
from scanner_kit.views.feed import Board, Feed, follow
from scanner_kit.views.grid import Hot, Lists
from scanner_kit.views.pages import links
from scanner_kit.views.status import Status
from scanner_kit.views.triggers import Triggers

TITLE = "scanner_kit · live"
FONT = {"fontFamily": 'Roboto, system-ui, "Segoe UI", sans-serif'}
PARTS = {"MuiPaper": {"styleOverrides": {"root": {"backgroundImage": "none"}}}}
THEMES = {
    "dark": {
        "palette": {
            "primary": {"main": "#4c9bf0"},
            "background": {"default": "#0d1117", "paper": "#151b23"},
            "text": {"primary": "#e6ebf2"},
        },
        "typography": FONT,
        "components": PARTS,
    },
    "light": {
        "palette": {
            "primary": {"main": "#1f6fd1"},
            "background": {"default": "#eef1f5", "paper": "#ffffff"},
            "text": {"primary": "#18202b"},
        },
        "typography": FONT,
        "components": PARTS,
    },
}
BAR = {
    "& .header": {
        "backgroundColor": "var(--panel-surface-color)",
        "backgroundImage": "none",
        "color": "var(--panel-on-surface-color)",
        "boxShadow": "none",
        "borderBottom": "1px solid color-mix(in oklab, var(--panel-on-surface-color) 11%, var(--panel-surface-color))",
    },
    "& .header .MuiToolbar-root, & .main .MuiToolbar-root": {
        "minHeight": "48px !important",
        "margin": 0,
        "paddingLeft": "14px",
        "paddingRight": "14px",
    },
    "& .header [aria-label$='contextbar']": {"display": "none"},
    "& .MuiLinearProgress-root": {"display": "none"},
}


class Live:
    """The screens of one session: they follow one feed, and choose one symbol."""

    def __init__(self, board: Board, *, settings: bool = True) -> None:
        self.feed: Feed = follow(board)
        choose = {"choose": self.choose}
        self.status = Status(
            delta=self.feed.param.status,
            beat=self.feed.param.beat,
            settings=settings,
            pages=links("live") if session.served() else [],
            answers={**choose, **self._whole("status")},
            sizing_mode="stretch_width",
            height=48,
            margin=0,
        )
        self.hot = Hot(delta=self.feed.param.hot, answers={**choose, **self._whole("hot")}, css_classes=["hot"])
        self.lists = Lists(
            delta=self.feed.param.lists,
            address=board.link,
            answers={**choose, **self._whole("lists")},
            css_classes=["lists"],
        )
        self.tape = Triggers(
            delta=self.feed.param.triggers,
            answers={**choose, **self._whole("triggers"), "seen": self._seen},
            css_classes=["tape"],
        )
        self.detail = Detail(board, choose)
        self.detail.pane.css_classes = ["detail"]
        self.desk = pn.Column(
            self.hot,
            self.lists,
            self.tape,
            self.detail.pane,
            sizing_mode="stretch_both",
            margin=0,
            stylesheets=[asset("page.css")],
        )
        self.feed.param.watch(lambda event: self.detail.update(), "step")

    def choose(self, symbol: Any) -> None:
        """Open a symbol, or close what is open."""
        if not isinstance(symbol, str) or len(symbol) > 16:
            return
        with pn.io.hold():
            for screen in (self.hot, self.lists, self.tape):
                screen.chosen = symbol
            self.desk.css_classes = ["open"] if symbol else []
            self.detail.choose(symbol)

    def _seen(self, probe: Any) -> None:
        if isinstance(probe, str) and len(probe) <= 64:
            self.feed.board.seen(probe)

    def _whole(self, channel: str) -> dict[str, Any]:
        return {"whole": lambda _: self.feed.whole(channel)}


def live(board: Board, *, dark: bool = True, height: int = 760) -> Any:
    """The live dashboard of a board: a page where it is served, a block of `height` pixels in a notebook cell.

    `dark` is the theme of those who have not chosen one.
    """
    if not isinstance(board, Board):
        raise InvalidInput(f"The live dashboard is of a Board; found {short(board)}. Give, say, play([tape]).board.")
    if session.served():
        return _page(board, dark)
    screens = Live(board, settings=False)
    status = pn.Row(screens.status, sizing_mode="stretch_width", height=48, margin=0)
    return pn.Column(status, screens.desk, sizing_mode="stretch_width", height=height, margin=0)


def page_under(head: Any, title: str, *, dark: bool, **parts: Any) -> Any:
    """A page under a header that turns its theme; the theme that a browser chose before counts, else `dark`."""
    chosen = pn.state.cookies.get("scanner-kit-theme")
    head.dark = chosen == "dark" if chosen in ("dark", "light") else dark
    page = session.page(
        header=[head],
        theme_toggle=False,
        busy_indicator=None,
        dark_theme=head.dark,
        theme_config=THEMES,
        sx=BAR,
        meta_title=title,
        meta_name=title,
        **parts,
    )

    def turn(to: Any) -> None:
        page.dark_theme = head.dark = bool(to)

    head._answers |= {"dark": turn}
    return page


def _page(board: Board, dark: bool) -> Any:
    screens = Live(board)
    drawer = Drawer(board, screens.feed)
    page = page_under(
        screens.status,
        TITLE,
        dark=dark,
        main=[screens.desk],
        contextbar=[drawer.pane],
        contextbar_width=420,
        contextbar_variant="temporary",
    )
    screens.status._answers |= {"settings": lambda _: _open(page, drawer)}
    return page


def _open(page: Any, drawer: Drawer) -> None:
    drawer.draw()
    page.contextbar_open = True
