"""The one plain line about luck, at the top of the lab."""

from scanner_kit.tuning.luck import Luck


def luck_line(luck: Luck | None) -> str:
    """How many settings were looked at, and how good luck alone would make the best of them look."""
    return "" if luck is None else luck.line
