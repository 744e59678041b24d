"""One rule from the name of a class to the name in files and commands."""

import re
from functools import lru_cache

_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """A class's name as a name in files and commands.

    >>> snake_case("HodBreak"), snake_case("Breakout20d")
    ('hod_break', 'breakout_20d')
    """
    return _BOUNDARY.sub("_", name).lower()
