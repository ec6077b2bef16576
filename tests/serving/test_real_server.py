"""`lvm-serve` as a process: what it says, refuses and survives."""

import shutil
import sys

import pytest
from click.testing import CliRunner

from ci import serve_chaos, serve_latency
from ci.served import serving
from lvm_gates.serving.cli import main

sys.path.append(str(serve_chaos.Path(serve_chaos.__file__).parents[1] / "examples"))
import serve_client


@pytest.fixture(scope="module")
def place(shelf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(shelf / "good.pt", folder / "best_model.pt")
    shutil.copytree(shelf / "good-report", folder / "report")
    return folder


@pytest.fixture(scope="module")
def served(place, corpus):
    arguments = [str(place / "best_model.pt"), f"--corpus={corpus.path}", "--watch=0.2", "--deadline=1"]
    with serving(*arguments) as running:
        yield running


# The last one ends the server.
@pytest.mark.parametrize("case", serve_chaos.CASES, ids=lambda case: case.__name__)
def test_what_clients_and_files_do_to_it(served, place, case):
    said, fine = case(served, place)
    assert fine, said


def test_the_table_of_latencies(shelf, corpus):
    done = CliRunner().invoke(serve_latency.main, [str(shelf / "good.pt"), f"--corpus={corpus.path}", "--seconds=.2"])
    assert done.exit_code == 0, done.output
    _, _, *rows, _, chat = done.output.splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["1", "16", "64"]
    assert all(float(cell) > 0 for row in rows for cell in row.split("|")[2:6])
    assert "neither model nor encoder" in chat


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["held.pt"], r"says hold (said to be hold); serve one that is released, or this one with --allow-blocked"),
        (["new.pt"], r"no scorecard judges these bytes"),
        (["absent.pt"], r"absent.pt"),
        (["good.pt", "--bank=ivf"], r"480 chunks are too few for --bank ivf"),
        (["good.pt", "--decoder=poet"], r"--decoder poet: no installed package offers it"),
        (["good.pt", "--encoder=none"], r"records no encoder"),
    ],
)
def test_what_is_not_started(shelf, corpus, monkeypatch, given, said):
    monkeypatch.chdir(shelf)
    done = CliRunner().invoke(main, [*given, f"--corpus={corpus.path}"])
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert said in line


def test_the_ten_lines_of_the_page_are_the_example(tmp_path):
    root = serve_chaos.Path(serve_chaos.__file__).parents[1]
    page, example = (root / "docs" / "serving.md").read_text(), (root / "examples" / "serve_client.py").read_text()
    for line in page[page.index("```python") :].split("```")[1].splitlines()[1:]:
        if line and not line.startswith(("def", "    request", "    with")):
            assert line in example


def test_the_example_asks_and_is_answered(make_server, monkeypatch):
    import threading

    import uvicorn

    from lvm_gates.serving.app import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(make_server()), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        said = serve_client.go_on(" ".join(f"Row {n}." for n in range(5)), url=f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()
    assert said["answer"].startswith("Row ")
