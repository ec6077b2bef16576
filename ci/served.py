"""A real `lvm-serve` in a process of its own, for scripts that talk to it."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

STARTING_S = 120


@dataclass
class Served:
    """A running server.

    Attributes:
        process: of it.
        port: it listens on.
    """

    process: "subprocess.Popen[str]"
    port: int

    @cached_property
    def dim(self) -> int:
        """D of the served corpus."""
        return int(self.ask("/v1/verdict")[1]["corpus"]["dim"])

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        """A connection that is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, body: Any = None, timeout: float = 30.0) -> tuple[int, Any]:
        """Status and answer of one request on a connection of its own."""
        connection = self.connect(timeout)
        try:
            return ask(connection, path, body)
        finally:
            connection.close()


def ask(connection: http.client.HTTPConnection, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and answer of one request; text where it is no JSON."""
    data = None if body is None else json.dumps(body)
    connection.request("POST" if data else "GET", path, data, {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


@contextmanager
def serving(*arguments: str, port: int = 0, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """Start a server and wait until it is ready; it is killed at the end if it still runs."""
    port = port or _free_port()
    command = [sys.executable, "-m", "lvm_gates.serving.cli", *arguments, f"--port={port}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | (environment or {})
    )
    served = Served(process, port)
    try:
        _wait_until_ready(served)
        yield served
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_until_ready(served: Served) -> None:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end:
        if served.process.poll() is not None:
            raise RuntimeError(f"lvm-serve ended with {served.process.returncode} before it was ready")
        try:
            if served.ask("/ready", timeout=2)[0] == 200 and served.dim:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"lvm-serve was not ready within {STARTING_S} s")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
