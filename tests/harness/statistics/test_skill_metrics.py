"""What reports from before a field was added are read as."""

import math

import msgspec
from scorecard_sample import skill_metrics

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.statistics.task_skill import TaskSkill


def test_what_an_older_report_does_not_say_is_not_made_up():
    written = jsonable(skill_metrics(0.5))["VAL"]
    for field in ("near_duplicates", "rivals", "rivals_know_domain", "articles", "rollout_worst"):
        del written[field]
    for ranks in written["rankme"].values():
        del ranks["variance"]
    found = msgspec.convert(written, TaskSkill)
    assert (found.near_duplicates, found.articles) == (0, 0)
    assert found.rivals is None
    assert found.rivals_know_domain is False
    assert math.isnan(found.rollout_worst.value)
    assert math.isnan(found.rankme.model.variance)
    assert found.task_metric.value == 0.03
