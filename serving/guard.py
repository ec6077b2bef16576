"""What stands before every route: size, number, time and token of requests; and the log line of each."""

import asyncio
import hmac
import json
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from lvm_gates.serving.log import log
from lvm_gates.serving.metrics import Metrics
from lvm_gates.serving.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# What a probe asks stays open when the server is full, and needs no token: it tells nothing but that it is there.
PROBES = frozenset({"/health", "/ready"})
_OPEN = PROBES | {"/"}


class Guard:
    """ASGI middleware; see `Limits` for what is refused with which status."""

    def __init__(self, app: App, settings: Settings, metrics: Metrics, routes: frozenset[str]) -> None:
        self.app, self.settings, self.metrics, self.routes = app, settings, metrics, routes
        self.running = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, request = time.perf_counter(), uuid.uuid4().hex[:12]
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request.encode())]
            await send(message)

        try:
            await self._within_limits(scope, receive, sending, lambda: status)
        finally:
            took = time.perf_counter() - began
            # A path that is no route would make a series of every typing error.
            route = scope["path"] if scope["path"] in self.routes else "other"
            self.metrics.requests.labels(route, str(status or 499)).inc()
            self.metrics.seconds.labels(route).observe(took)
            log("request", request=request, route=route, status=status or 499, ms=round(took * 1e3, 2))

    async def _within_limits(self, scope: Message, receive: Receive, send: Send, status: Callable[[], int]) -> None:
        limits = self.settings.limits
        if refusal := self._refusal(scope):
            await refuse(send, *refusal)
            return
        counted = scope["path"] not in PROBES
        self.running += counted
        self.metrics.running.set(self.running)
        try:
            async with asyncio.timeout(limits.deadline_s):
                await self.app(scope, self._measured(receive), send)
        except TimeoutError:
            if not status():
                await refuse(send, 504, f"took longer than {limits.deadline_s:g} s; ask for less, or try again")
        finally:
            self.running -= counted
            self.metrics.running.set(self.running)

    def _refusal(self, scope: Message) -> tuple[int, str, tuple[tuple[bytes, bytes], ...]] | None:
        limits, headers, path = self.settings.limits, dict(scope["headers"]), scope["path"]
        if self.settings.token is not None and path not in _OPEN:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, b"Bearer " + self.settings.token.encode()):
                return 401, "send the header 'Authorization: Bearer TOKEN'", ((b"www-authenticate", b"Bearer"),)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limits.body_bytes:
            return 413, self._too_long, ()
        if self.running >= limits.concurrent and path not in PROBES:
            return 429, f"{limits.concurrent} requests are being answered; try again", ((b"retry-after", b"1"),)
        return None

    @property
    def _too_long(self) -> str:
        return f"the body is longer than {self.settings.limits.body_bytes:,} bytes; send less at once"

    def _measured(self, receive: Receive) -> Receive:
        """A body without a length is counted as it comes."""
        left = self.settings.limits.body_bytes

        async def counting() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                # Of this kind it goes through the framework as it is.
                raise HTTPException(413, self._too_long)
            return message

        return counting


async def refuse(send: Send, status: int, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Answer with a status and one sentence."""
    body = json.dumps({"detail": detail}).encode()
    length = (b"content-length", str(len(body)).encode())
    head = [(b"content-type", b"application/json"), length, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
