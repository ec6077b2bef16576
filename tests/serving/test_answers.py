"""What the routes answer, and what they refuse."""

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.serving import decoder
from lvm_gates.serving.settings import Limits

TEXT = " ".join(f"Row {n}." for n in range(5))


def contexts(corpus, rows):
    return corpus.vectors(np.array(rows)[:, None] + np.arange(-5, 0)).tolist()


def test_predictions_are_those_of_the_model_and_unit(client, corpus, shelf):
    from lvm_gates.harness import load_predictor

    given = contexts(corpus, [5, 30, 50])
    answer = client.post("/v1/predict", json={"contexts": given}).json()
    own = load_predictor(str(shelf / "good.pt")).predict(np.array(given, dtype=np.float32))
    found = np.array(answer["predictions"])
    assert np.allclose(found, own / np.linalg.norm(own, axis=1, keepdims=True), atol=1e-6)
    assert answer["model"]["released"]
    assert answer["model"]["warning"] is None


def test_contexts_need_not_be_unit(client, corpus):
    given = np.array(contexts(corpus, [5]))
    answers = [client.post("/v1/predict", json={"contexts": (s * given).tolist()}).json() for s in (1.0, 3.0)]
    assert np.allclose(answers[0]["predictions"], answers[1]["predictions"], atol=1e-6)


def test_a_rollout_feeds_predictions_back(client, corpus):
    context = contexts(corpus, [5])[0]
    rolled = client.post("/v1/rollout", json={"context": context, "steps": 3}).json()["predictions"]
    for step in range(3):
        one = client.post("/v1/predict", json={"contexts": [context]}).json()["predictions"][0]
        assert np.allclose(rolled[step], one, atol=1e-5)
        context = [*context[1:], one]


def test_a_text_is_gone_on_with_in_real_chunks(client, corpus):
    answer = client.post("/chat", json={"text": TEXT, "steps": 2, "neighbours": 4}).json()
    assert answer["read"] == [f"Row {n}." for n in range(5)]
    assert answer["refused"] is None
    assert [step["step"] for step in answer["continuation"]] == [1, 2]
    for step in answer["continuation"]:
        near = step["nearest"]
        assert [one["rank"] for one in near] == [1, 2, 3, 4]
        assert [one["cosine"] for one in near] == sorted((one["cosine"] for one in near), reverse=True)
        assert all(one["text"] == f"Row {one['row']}." for one in near)
        assert all(one["title"] == f"Article {one['row'] // 20}" for one in near)
        assert not {one["row"] for one in near} & set(range(5)), "what was read is no continuation"
        assert step["text"] == near[0]["text"]
        assert step["offsets"].keys() == {"-4", "-3", "-2", "-1", "0"}
    assert answer["trivial"].keys() == {"persistence", "ewma"}
    assert answer["answer"] == " ".join(step["text"] for step in answer["continuation"])


def test_a_decoder_from_an_installed_package_tells_vectors_in_words(make_server, serve, monkeypatch):
    offers = [
        EntryPoint(name, f"decoders_of_others:{name}", decoder.DECODERS) for name in ("Shouting", "odd", "broken")
    ]
    monkeypatch.setattr(decoder, "offered", lambda group: offers if group == decoder.DECODERS else [])
    with serve(make_server(decoder="Shouting")) as client:
        steps = client.post("/chat", json={"text": TEXT}).json()["continuation"]
        assert [step["text"] for step in steps] == [step["nearest"][0]["text"].upper() for step in steps]
    with pytest.raises(UserError, match=r"--decoder odd: Corpus has no method decode"):
        make_server(decoder="odd")
    with pytest.raises(UserError, match=r"--decoder broken: raised TypeError"):
        make_server(decoder="broken")


def test_only_the_last_chunks_are_read(client):
    longer = client.post("/chat", json={"text": "Row 400. Row 401. " + TEXT}).json()
    assert longer["continuation"] == client.post("/chat", json={"text": TEXT}).json()["continuation"]


def test_a_text_far_from_the_corpus_gets_no_neighbour(client):
    answer = client.post("/chat", json={"text": "What. Has. This. To. Do."}).json()
    assert answer["familiar"]["far"]
    assert answer["answer"] is None
    assert answer["continuation"] == []
    assert answer["trivial"] == {}
    assert "far from the corpus" in answer["refused"]


def test_a_row_of_the_corpus_tells_what_does_follow(client, corpus):
    answer = client.post("/chat", json={"row": 18, "steps": 4}).json()
    assert answer["read"] == [f"Row {n}." for n in range(13, 18)]
    # The article ends with row 19.
    assert [step["actual"] is not None for step in answer["continuation"]] == [True, True, False, False]
    one = np.array(client.post("/v1/predict", json={"contexts": contexts(corpus, [18])}).json()["predictions"][0])
    assert answer["continuation"][0]["actual"] == pytest.approx(
        float(one @ corpus.vectors(np.array([18]))[0]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("route", "body", "status", "said"),
    [
        ("/chat", {"text": "Row 1. Row 2."}, 422, "has 2 sentences and the model reads 5; write 3 more"),
        ("/chat", {"text": " "}, 422, "has 0 sentences"),
        ("/chat", {}, 422, "either text or row"),
        ("/chat", {"text": TEXT, "row": 7}, 422, "either text or row"),
        ("/chat", {"text": TEXT + " Nothing."}, 422, "no embedding"),
        ("/chat", {"text": "Row 1. " * 5000}, 422, "35,000 characters"),
        ("/chat", {"text": TEXT, "steps": 21}, 422, "21 steps"),
        ("/chat", {"text": TEXT, "neighbours": 51}, 422, "51 neighbours"),
        ("/chat", {"row": 3}, 422, "row 3 is not one of"),
        ("/chat", {"row": 24}, 422, "row 24 is not one of"),
        ("/chat", {"row": 10**30}, 422, "row"),
        ("/chat", {"text": TEXT, "colour": 1}, 422, "colour"),
        ("/v1/predict", {"contexts": []}, 422, "contexts"),
        ("/v1/predict", {"contexts": [[[1.0] * 16] * 4]}, 422, "4 frames of 16 numbers; the model reads 5"),
        ("/v1/predict", {"contexts": [[[1.0] * 16] * 4 + [[1.0] * 15]]}, 422, "5 frames of 15, 16 numbers"),
        ("/v1/predict", {"contexts": [[[0.0] * 16] * 5]}, 422, "a frame is zero"),
        ("/v1/predict", {"contexts": [[[1.0] * 16] * 5] * 257}, 422, "257 contexts"),
        ("/v1/rollout", {"context": [[1.0] * 16] * 5, "steps": 0}, 422, "steps"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_sentence(client, route, body, status, said):
    answer = client.post(route, json=body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"contexts": [[[NaN]]]}', b'{"contexts": [[[1e999]]]}', b"[" * 9999]
)
def test_garbage_is_refused(client, body):
    answer = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert client.get("/health").json() == {"status": "ok"}


def test_the_verdict(client, shelf):
    said = client.get("/v1/verdict").json()
    assert said["model"]["verdict"] == "release"
    assert said["profile"] == "5cat"
    assert said["same_corpus"] is True
    assert said["corpus"]["reads_text"] is True
    assert said["reasons"] == ["said to be release"]
    assert said["report"] == "good-report", "not where it lies"


def test_a_blocked_model_says_so_in_every_answer(make_server, serve, corpus):
    with serve(make_server(model="held.pt", allow_blocked=True)) as client:
        answers = [
            client.post("/v1/predict", json={"contexts": contexts(corpus, [5])}),
            client.post("/v1/rollout", json={"context": contexts(corpus, [5])[0]}),
            client.post("/chat", json={"text": TEXT}),
            client.get("/v1/verdict"),
            client.get("/ready"),
        ]
        assert all("not released (hold" in answer.json()["model"]["warning"] for answer in answers)
        assert 'verdict="hold"} 0.0' in client.get("/metrics").text


def test_without_an_encoder_vectors_are_served_and_texts_refused(make_server, serve, corpus):
    with serve(make_server(text=False)) as client:
        assert client.get("/v1/verdict").json()["corpus"]["reads_text"] is False
        refused = client.post("/chat", json={"text": TEXT})
        assert refused.status_code == 422
        assert "records no encoder" in refused.json()["detail"]
        assert client.post("/chat", json={"row": 8}).json()["continuation"]


def test_metrics_count_routes_and_not_typing_errors(client):
    client.get("/nowhere-at-all")
    shown = client.get("/metrics").text
    assert 'route="other",status="404"' in shown
    assert "nowhere" not in shown
    assert "lvm_bank_recall 1.0" in shown


def test_the_page_asks_nobody_else(client):
    page = client.get("/").text
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "innerHTML" not in page


def test_logs_hold_no_text_unless_told_to(make_server, serve, capfd):
    for told in (False, True):
        with serve(make_server(log_text=told)) as client:
            client.post("/chat", json={"text": TEXT})
        lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        assert {line["event"] for line in lines} == {"ready", "request", "stopped"} | ({"text"} if told else set())
        assert any("Row 1" in json.dumps(line) for line in lines) is told


def test_limits_are_documented_as_they_are(client):
    assert set(client.get("/openapi.json").json()["paths"]) == {
        *("/health", "/ready", "/v1/predict", "/v1/rollout", "/v1/verdict", "/chat", "/metrics"),
    }
    assert Limits().contexts == 256
