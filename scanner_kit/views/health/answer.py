"""`/api/health`: what a machine asks. 200 while nothing is red, 503 otherwise, and the rows as JSON.

Where the pages are behind a sign-in, so is this: routes beside the pages are not by themselves.
"""

import datetime as dt
import json
from typing import Any

from tornado.web import RequestHandler

from scanner_kit.views.feed import Board

OLD_SECONDS = 15.0


def answer(board: Board) -> tuple[int, dict[str, Any]]:
    """Status and body for a board: broken too when nobody has reported for a while."""
    state, now = board.state("health"), board.clock()
    rows = sorted(state.get("rows", {}).items(), key=lambda item: item[1][0])
    age = now - board.reported if board.reported else None
    silent = age is None or age > OLD_SECONDS
    broken = silent or any(row[2] == "red" for _, row in rows)
    said = "nobody has reported health" if silent else f"{rows[0][0]}: {rows[0][1][3]}" if rows else ""
    step = board.state("status").get("clock", {})
    body = {
        "status": "broken" if broken else "ok",
        "worst": "DOWN" if silent else rows[0][1][1] if rows else "",
        "said": said,
        "at": dt.datetime.fromtimestamp(now, dt.UTC).isoformat(),
        "step": {name: step[name] for name in ("time", "session", "k", "forming", "arrived") if name in step},
        "rows": [_row(subject, row) for subject, row in rows],
        "processes": {name: dict(zip(PROCESS, told, strict=True)) for name, told in state.get("processes", {}).items()},
    }
    return (503 if broken else 200), body


PROCESS = ("role", "state", "version", "prefix", "redis", "offset", "began", "at", "differs")


def _row(subject: str, row: list[Any]) -> dict[str, Any]:
    _, state, colour, reason, since, figures, station = row
    told = {"subject": subject, "state": state, "colour": colour, "reason": reason}
    return {**told, "since": since, "figures": figures, "station": station}


class HealthAnswer(RequestHandler):
    """Answers GET and HEAD with the health of a board; 401 to one who has not signed in where one must."""

    def initialize(self, board: Board) -> None:
        """Take the board."""
        self.board = board

    def get(self) -> None:
        """Answer."""
        from panel import config

        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "application/json; charset=utf-8")
        if (config.basic_auth or config.oauth_provider) and not self.get_signed_cookie("user"):
            self.set_status(401)
            self.finish(json.dumps({"status": "unknown", "said": "sign in first"}))
            return
        status, body = answer(self.board)
        self.set_status(status)
        self.finish(json.dumps(body))

    head = get
