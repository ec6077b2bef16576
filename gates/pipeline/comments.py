"""The comments of one pull request (GitHub) or merge request (GitLab), by their HTTP interfaces."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

_SECONDS = 30.0
_PAGE, _PAGES = 100, 20
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Thread:
    """Where comments are listed, made and changed.

    Attributes:
        listed: address of all comments; a new one is posted there.
        changed: address of one, before its number.
        method: that changes one.
        headers: with the token.
        refused: why no comment can be made; "" where it can.
    """

    listed: str
    changed: str
    method: str
    headers: Mapping[str, str]
    refused: str = ""

    def put(self, marker: str, body: str) -> str:
        """Change the comment that begins with ``marker``, or make it; returns what became of it."""
        try:
            known = next((one["id"] for one in self._comments() if self._is_ours(one, marker)), None)
            if known is None:
                self._ask("POST", self.listed, {"body": body})
                return "commented"
            self._ask(self.method, f"{self.changed}/{int(known)}", {"body": body})
            return "changed the comment that was there"
        except HTTPError as error:
            return f"no comment: the platform answers {error.code} {error.reason} to the token of this job"
        except (URLError, OSError, ValueError, KeyError, TypeError) as error:
            return f"no comment: the platform cannot be asked ({getattr(error, 'reason', error)})"

    def _is_ours(self, comment: Mapping[str, Any], marker: str) -> bool:
        # Anybody can type the marker; GitHub says which comments are of a token.
        kind = comment.get("user", {}).get("type", "Bot")
        return kind == "Bot" and str(comment["body"]).startswith(marker)

    def _comments(self) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _PAGES + 1):
            found = self._ask("GET", f"{self.listed}?per_page={_PAGE}&page={page}", None)
            yield from found
            if len(found) < _PAGE:
                return

    def _ask(self, method: str, address: str, content: Mapping[str, str] | None) -> Any:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"{address} is no web address")
        data = None if content is None else json.dumps(content).encode()
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "lvm-gates"}
        request = Request(address, data=data, headers=headers, method=method)  # noqa: S310 - checked above
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read(_LARGEST))


def github_thread(event: Mapping[str, Any], environment: Mapping[str, str]) -> Thread | None:
    """Of the pull request of an event; None where it is of something else.

    Raises:
        KeyError, TypeError: an event that is not as GitHub writes it.
    """
    pull = event.get("pull_request")
    if pull is None:
        return None
    api, repository = environment.get("GITHUB_API_URL", "https://api.github.com"), environment["GITHUB_REPOSITORY"]
    issues = f"{api}/repos/{quote(repository)}/issues"
    token = environment.get("GITHUB_TOKEN", "")
    head, base = pull["head"]["repo"], pull["base"]["repo"]
    refused = ""
    if head is None or head["full_name"] != base["full_name"]:
        refused = "a pull request from a fork has a token that may not comment; this summary is all there is"
    elif not token:
        refused = "GITHUB_TOKEN is not set; give the step `GITHUB_TOKEN: ${{ github.token }}`"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    return Thread(f"{issues}/{int(pull['number'])}/comments", f"{issues}/comments", "PATCH", headers, refused)


def gitlab_thread(environment: Mapping[str, str]) -> Thread | None:
    """Of the merge request of a pipeline; None where it is of something else.

    Raises:
        KeyError: an environment that is not as GitLab makes it.
    """
    number = environment.get("CI_MERGE_REQUEST_IID")
    if not number:
        return None
    project = quote(environment["CI_PROJECT_ID"], safe="")
    notes = f"{environment['CI_API_V4_URL']}/projects/{project}/merge_requests/{int(number)}/notes"
    own, job = environment.get("GITLAB_TOKEN"), environment.get("CI_JOB_TOKEN", "")
    headers = {"PRIVATE-TOKEN": own} if own else {"JOB-TOKEN": job}
    fork = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != environment.get("CI_MERGE_REQUEST_PROJECT_ID")
    refused = "a merge request from a fork has a token that may not comment; the files of this job are all there is"
    return Thread(notes, notes, "PUT", headers, refused if fork else "")
