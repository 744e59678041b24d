"""The names of all keys on the bus: their one home.

What one script touches together carries the hash tag `{prefix}`, so that it lies in one slot of a Cluster; the bars of
single symbols carry none, and spread. There are no database numbers: the prefix alone keeps two desks apart.

>>> keys = Keys("scanner")
>>> keys.tape("2025-01-27"), keys.bars("2025-01-27", "BRK.B")
('{scanner}:tape:2025-01-27', 'scanner:bars:2025-01-27:BRK.B')
"""

import datetime as dt
import re
from dataclasses import dataclass

from scanner_kit.errors import InvalidInput

PREFIX = "scanner"
KEPT_SECONDS = 48 * 3600
"""How long a key of a day is kept after it was made, by the wall clock."""


@dataclass(frozen=True)
class Keys:
    """The keys of one desk; a day is written `YYYY-MM-DD`."""

    prefix: str = PREFIX

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", str(self.prefix)):
            raise InvalidInput(
                f"A prefix of keys is 1 to 64 letters, digits, '_', '-' or '.'; found {self.prefix!r}. "
                f"Choose another, such as {PREFIX!r}. See SCANNER_KIT_PREFIX."
            )

    def tape(self, day: dt.date | str) -> str:
        """A stream: the tape of a trading day, one entry a step."""
        return self._tagged(f"tape:{day}")

    def writers(self, day: dt.date | str) -> str:
        """A hash: the number of the last entry of each writer on the tape of a day, and where its universe changes."""
        return self._tagged(f"tape:{day}:writers")

    def bars(self, day: dt.date | str, symbol: str) -> str:
        """A list: the bars of one symbol, for people and notebooks."""
        return f"{self.prefix}:bars:{day}:{symbol}"

    def scans(self, day: dt.date | str) -> str:
        """A stream: what the engine published of a trading day, one entry a step."""
        return self._tagged(f"scans:{day}")

    @property
    def ingest(self) -> str:
        """A text that expires: which ingest writes the tape, and its fencing number."""
        return self._tagged("ingest")

    @property
    def store(self) -> str:
        """A text that expires: which store writes what is published, and its fencing number."""
        return self._tagged("store")

    @property
    def inbox(self) -> str:
        """A stream: bars that anybody puts there, for the ingest to take and remove."""
        return self._tagged("inbox")

    @property
    def taken(self) -> str:
        """A number: how many of all entries that were ever put into the inbox an ingest has taken."""
        return self._tagged("taken")

    @property
    def today(self) -> str:
        """A text: the trading day whose tape is being written."""
        return self._tagged("today")

    @property
    def board(self) -> str:
        """A hash: the lists as they were published last, whole, and what they were made of."""
        return self._tagged("board")

    @property
    def lease(self) -> str:
        """A text that expires: which engine leads, and its fencing number."""
        return self._tagged("lease")

    @property
    def fence(self) -> str:
        """A number: the fencing number that was given last."""
        return self._tagged("fence")

    def job(self, scanner: str) -> str:
        """A hash: what is kept of a scheduled scanner from scan to scan."""
        return self._tagged(f"job:{scanner}")

    @property
    def beats(self) -> str:
        """A hash: the last heartbeat of each process."""
        return self._tagged("beats")

    @property
    def asks(self) -> str:
        """A stream: questions to the engine that leads."""
        return self._tagged("asks")

    def answer(self, question: str) -> str:
        """A list of one entry that expires: the engine's answer to a question."""
        return self._tagged(f"answer:{question}")

    def probe(self, probe: str) -> str:
        """A hash that expires: when a probe passed each station."""
        return self._tagged(f"probe:{probe}")

    def _tagged(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"
