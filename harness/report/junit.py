"""A comparison as a JUnit file, which every CI shows: one test a metric and split."""

from xml.etree import ElementTree

from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.report import words
from lvm_gates.harness.results.comparison import Comparison

_DECISIVE = (("critical", "undecided"), ("critical", "worse"), ("supporting", "worse"))


def comparison_junit(found: Comparison) -> bytes:
    """XML in which what stands in the way fails, what is advisory never does, and a gate that broke is an error."""
    found = all_visible(found)
    suite = ElementTree.Element("testsuite", name="lvm-gates compare")
    failures = errors = 0
    for one in found.findings:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"compare.{one.tier}", name=f"{one.metric} {one.split}"
        )
        text = f"{words.metric_text(one.difference, signed=True)}, margin {one.margin:g}: {one.outcome}"
        if (one.tier, one.outcome) in _DECISIVE:
            failures += 1
            ElementTree.SubElement(case, "failure", message=text)
        else:
            ElementTree.SubElement(case, "system-out").text = text
    for i, fault in enumerate(found.faults):
        case = ElementTree.SubElement(suite, "testcase", classname=f"compare.{fault.tier}", name=f"fault {i + 1}")
        if fault.tier != "advisory":
            failures += 1
            ElementTree.SubElement(case, "failure", message=fault.what)
    if found.answer == "broken":
        errors += 1
        case = ElementTree.SubElement(suite, "testcase", classname="compare", name="comparable")
        ElementTree.SubElement(case, "error", message="; ".join(found.reasons))
    for name, count in (("tests", len(suite)), ("failures", failures), ("errors", errors)):
        suite.set(name, str(count))
    made: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return made
