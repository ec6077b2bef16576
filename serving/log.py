"""One line of JSON an event, on standard error. What a client wrote stands in none, unless the operator asks for it."""

import json
import sys
from datetime import UTC, datetime


def log(event: str, **fields: str | int | float | bool | None) -> None:
    """Write one event."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201 - the log
