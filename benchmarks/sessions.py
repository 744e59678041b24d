"""Sessions of a page without a browser: they say what a page says as it opens, and note when each minute comes."""

import asyncio
import json
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

Arrived = dict[int, float]
"""When the message that brought a minute was there: wall clock, milliseconds."""
READY = {"kind": "MessageSent", "msg_type": "bokeh_event"}
READY_DATA = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
_MINUTE = re.compile(r'\\"k\\":(\d+)')


def token(page: str) -> str:
    """The name of a new session, from the text of the page that asked for it."""
    html = urllib.request.urlopen(page, timeout=60).read().decode()
    found = re.search(r'"token":\s*"([^"]+)"', html)
    assert found is not None, "the page has no token"
    return found[1]


@contextmanager
def sessions(page: str, count: int) -> Iterator[list[Arrived]]:
    """So many sessions, open and read until the block is left; what arrived at each."""
    arrived: list[Arrived] = [{} for _ in range(count)]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        opened = [asyncio.run_coroutine_threadsafe(_open(page, token(page)), loop).result(60) for _ in range(count)]
        reading = [asyncio.run_coroutine_threadsafe(_read(*one), loop) for one in zip(opened, arrived, strict=True)]
        yield arrived
        for connection in opened:
            loop.call_soon_threadsafe(connection.close)
        for one in reading:
            one.result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(page: str, token: str) -> WebSocketClientConnection:
    """As a page begins: it takes the whole document, and says that it is drawn."""
    request = HTTPRequest(page.replace("http", "ws", 1) + "/ws", headers={"Origin": "/".join(page.split("/")[:3])})
    connection = await websocket_connect(request, subprotocols=["bokeh", token], max_message_size=2**26)
    await _until(connection, "ACK")
    await _say(connection, "PULL-DOC-REQ", {})
    await _until(connection, "PULL-DOC-REPLY")
    await _say(connection, "PATCH-DOC", {"events": [{**READY, "msg_data": READY_DATA}]})
    return connection


async def _say(connection: WebSocketClientConnection, kind: str, content: object) -> None:
    for part in ({"msgid": uuid.uuid4().hex, "msgtype": kind}, {}, content):
        await connection.write_message(json.dumps(part))


async def _until(connection: WebSocketClientConnection, kind: str) -> None:
    while (said := await connection.read_message()) is not None:
        if f'"msgtype": "{kind}"' in str(said):
            return
    raise ConnectionError(f"the session ended before {kind}")


async def _read(connection: WebSocketClientConnection, arrived: Arrived) -> None:
    while (said := await connection.read_message()) is not None:
        if found := _MINUTE.search(str(said)):
            arrived.setdefault(int(found[1]), 1000 * time.time())
