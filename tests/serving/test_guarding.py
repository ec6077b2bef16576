"""Size, number, time and token of requests."""

import asyncio
import time

import httpx2
import numpy as np
import pytest

from lvm_gates.serving.app import create_app
from lvm_gates.serving.settings import Limits

CONTEXT = [[1.0] * 16] * 5


def test_a_long_body_is_refused_before_it_is_read(make_server, serve):
    with serve(make_server(limits=Limits(body_bytes=2000))) as client:
        assert client.post("/v1/predict", json={"contexts": [CONTEXT]}).status_code == 200
        assert client.post("/v1/predict", json={"contexts": [CONTEXT] * 9}).status_code == 413


def test_a_long_body_without_a_length_is_refused_as_it_comes(make_server, serve):
    with serve(make_server(limits=Limits(body_bytes=2000))) as client:
        chunks = (b"[" * 500 for _ in range(9))
        answer = client.post("/v1/predict", content=chunks, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert "2,000 bytes" in answer.json()["detail"]


def test_a_token_is_asked_for_of_everything_but_probes_and_the_page(make_server, serve):
    with serve(make_server(token="secret")) as client:  # noqa: S106 - not one
        assert [client.get(path).status_code for path in ("/health", "/ready", "/")] == [200] * 3
        assert [client.get(path).status_code for path in ("/v1/verdict", "/metrics", "/openapi.json")] == [401] * 3
        for given in ("Bearer wrong", "secret", "Bearer secre"):
            assert client.get("/v1/verdict", headers={"authorization": given}).status_code == 401
        assert client.get("/v1/verdict", headers={"authorization": "Bearer secret"}).status_code == 200


class Slow:
    """A model that takes its time."""

    def __init__(self, seconds):
        self.seconds, self.sizes = seconds, []

    def __call__(self, contexts):
        time.sleep(self.seconds)
        self.sizes.append(len(contexts))
        return contexts[:, -1].astype(np.float64)


def together(server, count, after=0.0):
    """Statuses of so many requests at once."""

    async def ask():
        app = create_app(server)
        async with (
            server.running(),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as http,
        ):

            async def one(n):
                await asyncio.sleep(after * n)
                return await http.post("/v1/predict", json={"contexts": [np.roll(CONTEXT, n).tolist()]})

            return await asyncio.gather(*(one(n) for n in range(count)))

    return asyncio.run(ask())


def test_more_at_once_than_are_taken(make_server):
    server = make_server(limits=Limits(concurrent=3))
    server.serving.batcher.predict = Slow(0.2)
    answers = together(server, 8)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 3 + [429] * 5
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}


def test_a_request_that_takes_too_long_is_given_up_and_others_are_not(make_server):
    server = make_server(limits=Limits(deadline_s=0.25))
    server.serving.batcher.predict = Slow(0.2)
    # The second waits for the batch before it.
    first, second = together(server, 2, after=0.05)
    assert first.status_code == 200
    assert second.status_code == 504
    assert "0.25 s" in second.json()["detail"]


@pytest.mark.parametrize("fault", [RuntimeError("no"), ValueError("not so")])
def test_a_model_that_fails_fails_a_request_and_not_the_server(make_server, serve, fault):
    server = make_server()
    good = server.serving.batcher.predict

    def broken(contexts):
        server.serving.batcher.predict = good
        raise fault

    server.serving.batcher.predict = broken
    with serve(server) as client:
        assert client.post("/v1/predict", json={"contexts": [CONTEXT]}).status_code == 500
        assert client.post("/v1/predict", json={"contexts": [CONTEXT]}).status_code == 200


def test_a_prediction_without_direction_is_an_error(make_server, serve):
    server = make_server()
    server.serving.batcher.predict = lambda contexts: np.full((len(contexts), 16), np.nan)
    with serve(server) as client:
        answer = client.post("/v1/predict", json={"contexts": [CONTEXT]})
        assert answer.status_code == 500
        assert "no direction" in answer.json()["detail"]
