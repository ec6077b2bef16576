"""One comment a pull request, kept up to date; what a platform refuses costs the comment and is said."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lvm_gates.gates.pipeline.publishing import publish
from lvm_gates.gates.pipeline.steps import Done

DONE = Done(1, "refused", '<!-- lvm-gates: "" -->', "### refused\n")


class Platform:
    """What GitHub and GitLab have in common: a list of comments, made by POST and changed by PATCH or PUT."""

    def __init__(self):
        self.comments, self.asked, self.status = [], [], 200
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                content = json.loads(self.rfile.read(length)) if length else None
                platform.asked.append((self.command, self.path, dict(self.headers), content))
                body = json.dumps(platform.comments if self.command == "GET" else {}).encode()
                self.send_response(platform.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def platform():
    one = Platform()
    thread = threading.Thread(target=one.server.serve_forever, args=(0.01,))
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


def repository(name):
    return {"repo": {"full_name": name}}


@pytest.fixture
def github(platform, tmp_path):
    """github(head=..., **more): the environment of a job of a pull request; its summary is `tmp_path/summary.md`."""

    def environment(head="they/theirs", **more):
        event = {"pull_request": {"number": 7, "head": repository(head), "base": repository("they/theirs")}}
        (tmp_path / "event.json").write_text(json.dumps(event))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_API_URL": platform.address,
            "GITHUB_REPOSITORY": "they/theirs",
            "GITHUB_TOKEN": "secret",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            **more,
        }

    return environment


def gitlab(platform, **more):
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": f"{platform.address}/api/v4",
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5",
        "CI_JOB_TOKEN": "job",
        **more,
    }


def test_the_first_comment_is_made_and_the_next_changes_it(platform, github, tmp_path, capsys):
    platform.comments = [
        {"id": 1, "user": {"type": "User"}, "body": f"{DONE.marker}\nby somebody who typed the marker"},
        {"id": 2, "user": {"type": "Bot"}, "body": "of another bot"},
    ]
    publish(DONE, github(), comment=True)
    assert [(method, path) for method, path, *_ in platform.asked] == [
        ("GET", "/repos/they/theirs/issues/7/comments?per_page=100&page=1"),
        ("POST", "/repos/they/theirs/issues/7/comments"),
    ]
    assert platform.asked[1][2]["Authorization"] == "Bearer secret"
    assert platform.asked[1][3] == {"body": f"{DONE.marker}\n{DONE.comment}"}
    platform.comments.append({"id": 3, "user": {"type": "Bot"}, "body": f"{DONE.marker}\nold"})
    publish(DONE, github(), comment=True)
    assert platform.asked[-1][:2] == ("PATCH", "/repos/they/theirs/issues/comments/3")
    assert "changed the comment that was there" in capsys.readouterr().out
    assert (tmp_path / "summary.md").read_text().count("### refused") == 2
    assert (tmp_path / "output").read_text() == "status=1\n" * 2


def test_a_fork_gets_the_summary_alone_and_is_told_so(platform, github, tmp_path, capsys):
    publish(DONE, github(head="somebody/theirs"), comment=True)
    assert platform.asked == []
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("### refused")
    assert "from a fork has a token that may not comment" in summary
    assert "from a fork" in capsys.readouterr().out
    publish(DONE, gitlab(platform, CI_MERGE_REQUEST_SOURCE_PROJECT_ID="6"), comment=True)
    assert platform.asked == []
    assert "from a fork" in capsys.readouterr().out


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_platform_that_refuses_costs_the_comment_alone(platform, github, tmp_path, status):
    platform.status = status
    publish(DONE, github(), comment=True)
    assert f"no comment: the platform answers {status}" in (tmp_path / "summary.md").read_text()


def test_what_else_can_keep_it_from_commenting(platform, github, tmp_path, capsys):
    publish(DONE, github(GITHUB_TOKEN=""), comment=True)
    publish(DONE, github(GITHUB_API_URL="file:///etc"), comment=True)
    publish(DONE, github(GITHUB_API_URL="http://127.0.0.1:1"), comment=True)
    publish(DONE, github(GITHUB_EVENT_PATH=str(tmp_path / "nothing.json")), comment=True)
    said = [line for line in capsys.readouterr().out.splitlines() if "no comment" in line]
    assert len(said) == 4
    assert platform.asked == []
    assert "GITHUB_TOKEN is not set" in said[0]


def test_no_pull_request_no_comment(platform, github, tmp_path, capsys):
    environment = github()
    (tmp_path / "event.json").write_text(json.dumps({"ref": "refs/heads/main"}))
    publish(DONE, environment, comment=True)
    publish(DONE, gitlab(platform, CI_MERGE_REQUEST_IID=""), comment=True)
    publish(DONE, github(), comment=False)
    publish(DONE, {}, comment=True)
    assert platform.asked == []
    assert capsys.readouterr().out == ""
    assert (tmp_path / "summary.md").read_text() == DONE.comment * 2


def test_gitlab_by_the_token_of_the_job_and_by_one_of_the_project(platform, capsys):
    platform.status = 401
    publish(DONE, gitlab(platform), comment=True)
    assert "no comment: the platform answers 401" in capsys.readouterr().out
    assert platform.asked[-1][2]["Job-Token"] == "job"
    platform.status = 200
    platform.comments = [{"id": 9, "body": f"{DONE.marker}\nold"}]
    publish(DONE, gitlab(platform) | {"GITLAB_TOKEN": "own"}, comment=True)
    assert platform.asked[-1][:2] == ("PUT", "/api/v4/projects/5/merge_requests/7/notes/9")
    assert platform.asked[-1][2]["Private-Token"] == "own"


def test_a_comment_is_never_longer_than_the_platform_takes(platform, github):
    publish(Done(1, "refused", DONE.marker, "x" * 100_000), github(), comment=True)
    assert len(platform.asked[-1][3]["body"]) < 65_536
