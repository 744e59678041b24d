"""Ways to a bus that fail on purpose: a server that is killed, and a line that loses answers."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from scanner_kit.bus.connection import Bus, connect


class Killable:
    """A server of its own that keeps what it was told in its file, however it ends."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        if found is None:
            pytest.skip("no redis-server on PATH: install it (apt install redis-server)")
        self.socket = str(folder / "r.sock")
        said = ("--port 0 --appendonly yes --appendfsync everysec --unixsocket", self.socket, "--save", "")
        self._command = [found, *said[0].split(), said[1], *said[2:], "--dir", str(folder)]
        self.start()
        self.bus: Bus = connect(f"unix://{self.socket}", "killable")

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self._server = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.connect(self.socket)
                return
            time.sleep(0.01)
        raise TimeoutError(f"{self._command[0]} does not answer")

    def kill(self) -> None:
        """End it at once, as a loss of its machine's power would."""
        self._server.kill()
        self._server.wait()

    def close(self) -> None:
        """End it for good."""
        self.bus.close()
        self.kill()


class Lossy:
    """A line to a server that, while `lose_answers`, carries the next request and cuts off before its answer."""

    def __init__(self, server: str, folder: Path) -> None:
        self.lose_answers, self.lost = False, 0
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "line.sock"))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        self.bus: Bus = connect(f"unix://{folder / 'line.sock'}", "lossy")

    def close(self) -> None:
        """Cut the line."""
        self.bus.close()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._server)
                for source, target, answers in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, target, answers), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(1 << 16):
                if answers and self.lose_answers:
                    self.lose_answers, self.lost = False, self.lost + 1
                    return
                target.sendall(data)
