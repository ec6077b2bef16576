"""A client of `lvm-serve`: what would follow a text, in real chunks of the corpus.

python examples/serve_client.py "Five sentences or more."
"""

import json
import sys
import urllib.request
from typing import Any

URL = "http://127.0.0.1:9007"


def go_on(text: str, steps: int = 3, url: str = URL) -> Any:
    """The answer of `/chat`."""
    body = json.dumps({"text": text, "steps": steps}).encode()
    request = urllib.request.Request(f"{url}/chat", body, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    said = go_on(sys.argv[1])
    sys.stdout.write(f"{said['refused'] or said['answer']}\n")
