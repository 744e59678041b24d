"""The tuning lab: move a threshold, see what changes, what it was worth, where, and look at any trigger."""

from scanner_kit.views.tuning.bench import Bench
from scanner_kit.views.tuning.page import lab

__all__ = ["Bench", "lab"]
