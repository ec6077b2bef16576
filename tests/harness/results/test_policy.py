"""A policy as somebody writes it, and everything that is wrong with one in one sentence."""

import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results.paired import METRICS
from lvm_gates.harness.results.policy import DEFAULT, parse_policy

ONE = b'[[metric]]\nmetric = "cosine"\ntier = "critical"\nmargin = 0.02\n'


def test_the_default_names_every_metric_and_says_why():
    policy = parse_policy(DEFAULT.read_bytes(), "default")
    assert sorted(rule.metric for rule in policy.metrics) == sorted(METRICS)
    assert {rule.tier for rule in policy.metrics} == {"critical", "supporting", "advisory"}
    assert all(rule.evidence for rule in policy.metrics)
    assert {rule.metric for rule in policy.metrics if rule.better == "lower"} == {"shuffle", "reverse"}
    assert policy.verdict == "critical"


def test_a_policy_of_ones_own():
    policy = parse_policy(b'verdict = "advisory"\n' + ONE, "p.toml")
    assert (policy.verdict, len(policy.metrics)) == ("advisory", 1)
    assert (policy.metrics[0].margin, policy.metrics[0].better) == (0.02, "higher")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[[metric", "is no TOML"),
        (b"\xff", "is no TOML"),
        (b"#" * (2 << 20), "is larger than any policy"),
        (b"", "no metric is critical"),
        (ONE.replace(b"critical", b"supporting"), "no metric is critical"),
        (ONE.replace(b"critical", b"crucial"), "is no policy (Invalid enum value 'crucial' - at $.metric[0].tier"),
        (ONE.replace(b"0.02", b"0.0"), "is no policy (Expected float > 0"),
        (ONE.replace(b"0.02", b"nan"), "is no policy"),
        (ONE.replace(b"0.02", b"-1.0"), "is no policy (Expected float > 0"),
        (ONE.replace(b"margin", b"margins"), "is no policy (Object contains unknown field margins"),
        (ONE.replace(b"cosine", b"cosin"), "metric 'cosin' is not one that is compared; did you mean 'cosine'?"),
        (ONE + ONE, "metric 'cosine' is named twice"),
        (b"tier = 3\n" + ONE, "is no policy (Object contains unknown field tier"),
    ],
)
def test_what_is_no_policy(text, said):
    with pytest.raises(UserError) as caught:
        parse_policy(text, "p.toml")
    assert str(caught.value).startswith("p.toml: ")
    assert said in str(caught.value)
