"""A newly released model takes over without a dropped request; one that is not released does not."""

import asyncio
import gc
import shutil
import weakref

import httpx2
import pytest

from lvm_gates.serving.app import create_app
from lvm_gates.serving.watched import Watched

CONTEXT = [[1.0] * 16] * 5


@pytest.fixture
def place(shelf, tmp_path):
    """A model file with its report, to be replaced."""
    shutil.copy(shelf / "good.pt", tmp_path / "model.pt")
    shutil.copytree(shelf / "good-report", tmp_path / "report")
    return tmp_path


def replaced(place, shelf, name, verdict_of):
    shutil.copy(shelf / name, place / "model.pt")
    shutil.rmtree(place / "report")
    shutil.copytree(shelf / verdict_of, place / "report")


async def _asking(server, change):
    """Statuses and digests of a stream of requests while the model is replaced."""
    transport, found = httpx2.ASGITransport(create_app(server)), []
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://x") as http:

        async def stream():
            while not done.is_set():
                answer = await http.post("/v1/predict", json={"contexts": [CONTEXT]})
                found.append((answer.status_code, answer.json()["model"]["sha256"]))

        done = asyncio.Event()
        streams = [asyncio.create_task(stream()) for _ in range(4)]
        await asyncio.sleep(0.05)
        change()
        await server.reload()
        await asyncio.sleep(0.05)
        done.set()
        await asyncio.gather(*streams)
    return found


def test_what_is_released_takes_over(make_server, place, shelf, monkeypatch):
    server = make_server(model=place / "model.pt")
    before, old = server.serving.model.named.identity.sha256, weakref.ref(server.serving.model.named.predictor)
    # The held one, with a report that says it is released.
    monkeypatch.setattr("lvm_gates.serving.service.require_released", lambda *_: None)
    found = asyncio.run(_asking(server, lambda: replaced(place, shelf, "held.pt", "held-report")))
    assert {status for status, _ in found} == {200}
    digests = [sha for _, sha in found]
    assert digests[0] == before
    assert digests[-1] != before
    gc.collect()
    assert old() is None, "a network that nobody asks any more is let go"
    assert 'lvm_reloads_total{outcome="loaded"} 1.0' in server.metrics.text().decode()


@pytest.mark.parametrize(("name", "report"), [("held.pt", "held-report"), ("new.pt", "good-report")])
def test_what_is_not_released_does_not(make_server, place, shelf, name, report):
    server = make_server(model=place / "model.pt")
    before = server.serving.model.named.identity.sha256
    found = asyncio.run(_asking(server, lambda: replaced(place, shelf, name, report)))
    assert set(found) == {(200, before)}
    assert 'lvm_reloads_total{outcome="refused"} 1.0' in server.metrics.text().decode()


def test_a_file_that_is_being_written_is_left_alone(settings, place):
    watched = Watched.of(settings(place / "model.pt"))
    assert not watched.changed()
    with (place / "model.pt").open("ab") as stream:
        for _ in range(3):
            stream.write(b"more")
            stream.flush()
            assert not watched.changed()
    assert watched.changed()
    assert not watched.changed()
