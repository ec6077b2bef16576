"""Clients that hang, vanish and send garbage; a killed server; a model replaced while it is served.

    python -m ci.serve_chaos runs/demo/best_model.pt --soak 120

Prints one row a case and exits 1 if one of them did not end as it must. The model must be released by a report beside
it, as `make demo` leaves one.
"""

import http.client
import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from ci.served import Served, ask, serving

CONTEXT_FRAMES = 5
DEADLINE_S = 2.0
_PATIENCE_S = 20.0
# Growth of the server's memory over a soak that is no leak: allocators keep a little.
_ROOM_MB = 30
_GARBAGE = (
    *(b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 4096),
    *(b"GET / HTTP/9.9\r\n\r\n", b"A" * 200_000),
)


def _context(served: Served) -> Any:
    dim = served.dim
    return [[[float((i * j) % 7 - 3) + 0.5 for j in range(dim)] for i in range(1, CONTEXT_FRAMES + 1)]]


def _head(length: int) -> bytes:
    lines = ("POST /v1/predict HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def _works(served: Served) -> bool:
    """Whether a client that tries again, as one does after 429 and 504, is answered."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if served.ask("/v1/predict", {"contexts": _context(served)})[0] == 200:
            return True
        time.sleep(0.1)
    return False


def hanging_heads(served: Served, _: Path) -> tuple[str, bool]:
    """Connections that send half a head and wait."""
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(100)]
    for each in held:
        each.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n")
    fine = _works(served)
    for each in held:
        each.close()
    return "others are answered" if fine else "others wait", fine


def hanging_bodies(served: Served, _: Path) -> tuple[str, bool]:
    """Requests that promise a body and send none: given up at the deadline."""
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(20)]
    for each in held:
        each.settimeout(10 * DEADLINE_S)
        each.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
    fine = _works(served)
    statuses = {each.recv(64).split(b" ")[1].decode() for each in held}
    for each in held:
        each.close()
    return f"answered {', '.join(sorted(statuses))}; others are answered", fine and statuses == {"504"}


def vanishing(served: Served, _: Path) -> tuple[str, bool]:
    """Clients that leave before their answer."""
    body = json.dumps({"contexts": _context(served) * 64}).encode()
    for _n in range(50):
        with socket.create_connection(("127.0.0.1", served.port)) as one:
            one.sendall(_head(len(body)) + body)
    fine = _works(served)
    time.sleep(0.5)
    running = "lvm_requests_running 1.0" in served.ask("/metrics")[1]
    return "others are answered, none left running", fine and running


def garbage(served: Served, _: Path) -> tuple[str, bool]:
    """What is no HTTP."""
    said = set()
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"\x00" * 4096,
        b"GET / HTTP/9.9\r\n\r\n",
        b"A" * 200_000,
    ):
        with socket.create_connection(("127.0.0.1", served.port)) as one:
            one.settimeout(5)
            try:
                one.sendall(sent)
                one.shutdown(socket.SHUT_WR)
                said.add(one.recv(64)[:12].decode(errors="replace"))
            except OSError:
                said.add("closed")
    fine = _works(served)
    return f"{', '.join(sorted(filter(None, said))) or 'closed'}; others are answered", fine


def broken_model(served: Served, place: Path) -> tuple[str, bool]:
    """The model file is replaced by garbage: what was released goes on."""
    before = served.ask("/ready")[1]["model"]["sha256"]
    (place / "best_model.pt").write_bytes(b"no model")
    time.sleep(2.5)
    after = served.ask("/ready")[1]["model"]["sha256"]
    refused = 'lvm_reloads_total{outcome="refused"} 1.0' in served.ask("/metrics")[1]
    return "the old one is served, the reload refused", before == after and refused and _works(served)


def draining(served: Served, _: Path) -> tuple[str, bool]:
    """SIGTERM while 32 clients ask: every request that was taken is answered, and the server ends with 0."""
    statuses: list[int] = []
    begun = threading.Barrier(33)

    def client() -> None:
        contexts = _context(served) * 16
        begun.wait()
        # Refused after the end, as it must be: what was not taken may be sent elsewhere.
        with closing(served.connect()) as connection, suppress(OSError, http.client.HTTPException):
            for _n in range(50):
                statuses.append(ask(connection, "/v1/predict", {"contexts": contexts})[0])

    threads = [threading.Thread(target=client) for _ in range(32)]
    for each in threads:
        each.start()
    begun.wait()
    time.sleep(0.2)
    served.process.send_signal(signal.SIGTERM)
    code = served.process.wait(60)
    for each in threads:
        each.join()
    fine = set(statuses) == {200} and code == 0
    return f"{len(statuses)} answers, all 200; exit {code}" if fine else f"{sorted(set(statuses))}, exit {code}", fine


CASES: list[Callable[[Served, Path], tuple[str, bool]]] = [
    *(hanging_heads, hanging_bodies, vanishing, garbage, broken_model, draining),
]


def killed(arguments: list[str]) -> tuple[str, bool]:
    """Kill -9, and a new server on the same port."""
    with serving(*arguments) as first:
        first.process.kill()
        first.process.wait()
        with serving(*arguments, port=first.port) as second:
            return "a new one answers on the same port", _works(second)


def soak(arguments: list[str], seconds: float) -> tuple[str, bool]:
    """Eight clients for a while: memory stays where it was."""
    with serving(*arguments) as served:
        contexts, answered, end = _context(served), [0] * 8, time.monotonic() + seconds

        def client(n: int) -> None:
            route, body = ("/v1/predict", {"contexts": contexts}) if n % 2 else ("/chat", {"row": 8 + n})
            with closing(served.connect()) as connection:
                while time.monotonic() < end:
                    answered[n] += ask(connection, route, body)[0] == 200

        threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
        for each in threads:
            each.start()
        time.sleep(min(10.0, seconds / 4))
        before = _resident_mb(served.process.pid)
        for each in threads:
            each.join()
        grown = _resident_mb(served.process.pid) - before
        return f"{sum(answered):,} answers in {seconds:g} s, memory {grown:+.0f} MB", grown < _ROOM_MB and all(answered)


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} is gone")


@click.command(help=__doc__)
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--corpus", help="Whose chunks answer [default: the embedded dataset].")
@click.option("--soak", "seconds", type=float, default=20.0, show_default=True, help="Seconds of eight clients.")
def main(model: Path, corpus: str | None, seconds: float) -> None:
    """Run every case on a server of its own, print the table."""
    failed = 0
    more = [f"--corpus={corpus}"] if corpus else []

    def tell(name: str, outcome: tuple[str, bool]) -> None:
        nonlocal failed
        failed += not outcome[1]
        click.echo(f"| {name} | {outcome[0]} | {'ok' if outcome[1] else 'FAILED'} |")

    click.echo("| case | outcome | |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for case in CASES:
            place = Path(temporary) / case.__name__
            shutil.copytree(model.parent, place, ignore=shutil.ignore_patterns("epochs"))
            with serving(str(place / model.name), "--watch=0.5", f"--deadline={DEADLINE_S}", *more) as served:
                tell((case.__doc__ or "").strip().rstrip("."), case(served, place))
    tell("kill -9, and a new server on the same port", killed([str(model), *more]))
    tell("eight clients for a while", soak([str(model), *more], seconds))
    sys.exit(int(failed > 0))


if __name__ == "__main__":
    main()
