"""The JSON Schema of ``scorecard.json``, from the types that it is written from.

The schema says what this version writes; `harness.results.reading` takes scorecards of earlier versions too, which lack
fields that were added since.
"""

import inspect
import json
import re
from typing import Any

import msgspec

from lvm_gates.harness.base.record import Record
from lvm_gates.harness.judging.card import Skill
from lvm_gates.harness.results.model import Scorecard

FILE = "scorecard.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n     +\S.*)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The schema, with the descriptions of every record and field."""
    made = msgspec.json.schema(Scorecard)
    kinds = {name.split("[")[0]: kind for name, kind in _records(Record)}
    for name, definition in made["$defs"].items():
        _describe(definition, kinds[name.split("_")[0]])
        if name == Skill.__name__:  # all of it, or none where it was not computed
            definition["anyOf"] = [{"required": list(definition["properties"])}, {"maxProperties": 0}]
        else:
            definition["required"] = list(definition["properties"])
    return {"$schema": _DIALECT, "title": "scorecard.json of lvm-gates", **made}


def schema_text() -> str:
    """The same as it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _records(kind: type[Record]) -> list[tuple[str, type[Record]]]:
    return [(kind.__name__, kind), *(found for inner in kind.__subclasses__() for found in _records(inner))]


def _describe(definition: dict[str, Any], kind: type[Record]) -> None:
    definition["description"] = _line(inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:\n")[0])
    words: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        words |= dict(_ATTRIBUTE.findall(inspect.cleandoc(base.__doc__ or "").partition("\n\nAttributes:\n")[2]))
    for field in msgspec.structs.fields(kind):
        if field.name in words:
            definition["properties"][field.encode_name]["description"] = _line(words[field.name])


def _line(text: str) -> str:
    return " ".join(text.split())
