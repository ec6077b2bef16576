"""The page in a real browser without a screen: an answer, none, and a model that is not released.

Where no Chromium is installed these are skipped, by name; what the page is made of is tested without one.
"""

import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import uvicorn

from lvm_gates.serving.app import create_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")


@contextmanager
def listening(server):
    """The address of a server in a thread."""
    running = uvicorn.Server(uvicorn.Config(create_app(server), port=0, log_config=None))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()


def seen(url, profile, width=1280):
    """The page after its script has run, as markup."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += [f"--window-size={width},900", "--virtual-time-budget=10000", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def words(markup):
    """What is read, in one line."""
    body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_what_the_page_shows(make_server, tmp_path):
    with listening(make_server()) as url:
        page = seen(f"{url}/#row=8", tmp_path, width=390)
        said = words(page)
        assert "Released : good.pt" in said
        assert "Row 3." in said, "what was read"
        assert "Chunk +3" in said
        assert {"The model", "Repeating the last chunk", "A decaying mean"} <= set(re.findall(r"<h4>(.*?)</h4>", page))
        assert page.count('role="img" aria-label="Of the chunks that were read, the prediction is nearest to') == 3
        assert "to the chunk that does follow it lies at" in page
        far = words(seen(f"{url}/#text={quote('What. Has. This. To. Do.')}", tmp_path))
        assert "No answer: this text is far from the corpus" in far
        assert "Chunk +1" not in far
        markup = words(seen(f"{url}/#text={quote('<b>Row</b> 1. Two.')}", tmp_path))
        assert "write 3 more" in markup


def test_a_model_that_is_not_released_is_called_so(make_server, tmp_path):
    with listening(make_server(model="held.pt", allow_blocked=True)) as url:
        assert "Not released (hold) : held.pt this model is not released" in words(seen(url, tmp_path))
