"""A toolkit for scanning the US stock market, in a notebook and live.

>>> import scanner_kit as sk
>>> tape = sk.simulated_tape(sk.SimulatedMarket(symbols=30))
>>> engine = sk.Engine(tape.universe, [sk.scanners.HodBreak(min_rvol=2), sk.scanners.Hot()])
>>> scans = [engine.step(bars) for bars in tape]
>>> len(scans), len(scans[600].lists["hot"])
(960, 5)

Names are imported when they are first used, so that importing the package costs next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanner_kit import metrics, notebook, scanners, testing, views
    from scanner_kit.bars import Bars, Join, Leave, SettingsChange, Tape, VendorHalt
    from scanner_kit.calendar import Session, TradingDay
    from scanner_kit.decision import Decision, decide
    from scanner_kit.engine import Engine, Scan
    from scanner_kit.errors import InvalidInput, ScannerKitError, UnknownName
    from scanner_kit.health import Health, assess
    from scanner_kit.live.lists import bars
    from scanner_kit.live.pages.cell import board
    from scanner_kit.measuring import measure
    from scanner_kit.meter import measure_day
    from scanner_kit.metrics.base import Level, Metric
    from scanner_kit.opening import open_trigger
    from scanner_kit.playing import days_of, play, simulated_days
    from scanner_kit.results import Found, Result
    from scanner_kit.scanner import Scanner
    from scanner_kit.schedule import Schedule
    from scanner_kit.scheduled import ScanResult, ScheduledScanner
    from scanner_kit.settings import Settings, read_settings
    from scanner_kit.snapshot import Snapshot
    from scanner_kit.sources.simulated import SimulatedMarket
    from scanner_kit.sources.tape import TapeSource, simulated_tape
    from scanner_kit.triggers import Trigger
    from scanner_kit.tuning.certificate import certify
    from scanner_kit.tuning.history import History
    from scanner_kit.tuning.kept import load_tape, save_tape
    from scanner_kit.tuning.plateau import plateau
    from scanner_kit.tuning.search import search
    from scanner_kit.tuning.sweep import Sweep, sweep
    from scanner_kit.tuning.walk import walk_forward
    from scanner_kit.universe import Facts, Universe
    from scanner_kit.views import Board, lab, live
    from scanner_kit.views.thresholds import controls
    from scanner_kit.whole_day import judge_day

__version__ = "0.1.0"

_HOMES = {
    "bars": ("Bars", "Join", "Leave", "SettingsChange", "Tape", "VendorHalt"),
    "calendar": ("Session", "TradingDay"),
    "decision": ("Decision", "decide"),
    "engine": ("Engine", "Scan"),
    "errors": ("InvalidInput", "ScannerKitError", "UnknownName"),
    "health": ("Health", "assess"),
    "live.pages.cell": ("board",),
    "measuring": ("measure",),
    "meter": ("measure_day",),
    "metrics.base": ("Level", "Metric"),
    "opening": ("open_trigger",),
    "playing": ("days_of", "play", "simulated_days"),
    "results": ("Found", "Result"),
    "scanner": ("Scanner",),
    "schedule": ("Schedule",),
    "scheduled": ("ScanResult", "ScheduledScanner"),
    "settings": ("Settings", "read_settings"),
    "snapshot": ("Snapshot",),
    "sources.simulated": ("SimulatedMarket",),
    "sources.tape": ("TapeSource", "simulated_tape"),
    "triggers": ("Trigger",),
    "tuning.certificate": ("certify",),
    "tuning.history": ("History",),
    "tuning.kept": ("load_tape", "save_tape"),
    "tuning.plateau": ("plateau",),
    "tuning.search": ("search",),
    "tuning.sweep": ("Sweep", "sweep"),
    "tuning.walk": ("walk_forward",),
    "universe": ("Facts", "Universe"),
    "views": ("Board", "controls", "lab", "live"),
    "whole_day": ("judge_day",),
}
_MODULES = ("bars", "metrics", "notebook", "scanners", "testing", "views")
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Bars",
    "Board",
    "Decision",
    "Engine",
    "Facts",
    "Found",
    "Health",
    "History",
    "InvalidInput",
    "Join",
    "Leave",
    "Level",
    "Metric",
    "Result",
    "Scan",
    "ScanResult",
    "Scanner",
    "ScannerKitError",
    "Schedule",
    "ScheduledScanner",
    "Session",
    "Settings",
    "SettingsChange",
    "SimulatedMarket",
    "Snapshot",
    "Sweep",
    "Tape",
    "TapeSource",
    "TradingDay",
    "Trigger",
    "Universe",
    "UnknownName",
    "VendorHalt",
    "assess",
    "bars",
    "board",
    "certify",
    "controls",
    "days_of",
    "decide",
    "judge_day",
    "lab",
    "live",
    "load_tape",
    "measure",
    "measure_day",
    "metrics",
    "notebook",
    "open_trigger",
    "plateau",
    "play",
    "read_settings",
    "save_tape",
    "scanners",
    "search",
    "simulated_days",
    "simulated_tape",
    "sweep",
    "testing",
    "views",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"scanner_kit.{name}")
    if name not in _HOME:
        raise AttributeError(f"scanner_kit has no {name!r}")
    return getattr(import_module(f"scanner_kit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__


class _Bars(ModuleType):
    """The module `scanner_kit.bars`, which can be called: `sk.bars("NVDA")` are the bars of a symbol, from the bus."""

    def __call__(self, *of: Any, **more: Any) -> Any:
        return import_module("scanner_kit.live.lists").bars(*of, **more)


class _Live(ModuleType):
    """The package `scanner_kit.live`, which can be called: `sk.live(board)` is the live dashboard of a board."""

    def __call__(self, *of: Any, **more: Any) -> Any:
        return import_module("scanner_kit.views").live(*of, **more)


_CALLED = {"bars": _Bars, "live": _Live}


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLED and isinstance(value, ModuleType):
            value.__class__ = _CALLED[name]
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
