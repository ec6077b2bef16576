"""The schema of ``scorecard.json`` in its two places, and scorecards checked against it.

    python -m ci.schema

writes ``docs/scorecard.schema.json`` and the copy that is shipped; tests fail when either is stale.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import click

from lvm_gates.harness.results.schema import FILE, schema_text

ROOT = Path(__file__).resolve().parents[1]
PLACES = (ROOT / "docs" / FILE, ROOT / "harness" / "results" / FILE)


def check(scorecard: Any) -> None:
    """Check a scorecard against the schema that is shipped.

    Raises:
        AssertionError: at the first place that is not of the schema.
    """
    fault = next(_validator().iter_errors(scorecard), None)
    if fault is not None:
        place = "/".join(map(str, fault.absolute_path))
        raise AssertionError(f"scorecard.json is not of the schema: {place or 'it'}: {fault.message[:300]}")


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(PLACES[1].read_text()))


@click.command()
def main() -> None:
    """Write the schema into both places."""
    for place in PLACES:
        place.write_text(schema_text())


if __name__ == "__main__":
    main()
