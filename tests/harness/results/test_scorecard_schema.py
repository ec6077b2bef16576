"""The schema that is shipped: current, sound, and what every scorecard that is written keeps to."""

import copy
import json

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from scorecard_sample import NAN, card, scorecard, typed, without_skill

from ci.schema import PLACES, check
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.results import folder
from lvm_gates.harness.results.schema import schema, schema_text


def written(whole):
    return jsonable(typed(whole)) | {"report_id": "0"}


def test_the_schema_in_docs_and_in_the_package_is_that_of_the_types():
    assert [place.read_text() for place in PLACES] == [schema_text()] * 2, "run python -m ci.schema"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schema())


def test_every_record_is_described():
    definitions = schema()["$defs"]
    assert [name for name, one in definitions.items() if not one.get("description")] == []
    assert (
        definitions["TaskSkill"]["properties"]["F"]["description"] == "F, its MRR minus the frontier's at its cosine."
    )


@pytest.mark.parametrize(
    "whole",
    [scorecard(), scorecard([card("m.pt", NAN, "blocked", ["not finite"])]), without_skill(scorecard())],
    ids=["healthy", "undefined", "published"],
)
def test_what_is_written_is_of_the_schema(whole):
    check(written(whole))


PLACES_OF_FAULTS = {
    ("models", 0, "gates", "A", "VAL", "margin"): None,
    ("models", 0, "gates", "A", "VAL", "c"): {"one": {}},
    ("models", 0, "gates", "B", "OOD", "global", "R@1", "n"): 1.5,
    ("models", 0, "skill"): {"task": "frontier"},
    ("models", 0, "verdict"): "fine",
    ("controls", 0, "open_gates"): "A",
    ("schema_version",): 2,
    ("profile_version",): "1",
}


@pytest.mark.parametrize("place", PLACES_OF_FAULTS, ids=lambda place: "/".join(map(str, place)))
def test_another_value_or_none_is_not(place):
    whole = copy.deepcopy(written(scorecard()))
    *above, last = place
    node = whole
    for key in above:
        node = node[key]
    node[last] = PLACES_OF_FAULTS[place]
    with pytest.raises(AssertionError, match="not of the schema"):
        check(whole)
    del node[last]
    with pytest.raises(AssertionError, match="not of the schema"):
        check(whole)


def test_what_tests_write_is_held_against_the_schema(tmp_path):
    """`tests/conftest.py` sees to it: a scorecard with a field of another type is not written unseen."""

    def page(made):
        return f'<meta name="report-id" content="{made.report_id}">'

    folder.write(tmp_path, typed(scorecard()), {}, page)
    check(json.loads((tmp_path / folder.SCORECARD).read_text()))
    with pytest.raises(AssertionError, match="created: 7"):
        folder.write(tmp_path, replace(typed(scorecard()), created=7), {}, page)
