"""JUnit XML, for test dashboards."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from keepmum.findings import Finding, Outcome
from keepmum.report._report import Report
from keepmum.report._words import METRICS, metric_label, metric_text, ordered, said

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """One test case a finding: a leak fails, an error errs; what was not measured is skipped with its reason."""
    suites = ElementTree.Element("testsuites", {"name": "keepmum", **_counts(report.findings)})
    for family in dict.fromkeys(f.family for f in report.findings):
        findings = tuple(f for f in report.findings if f.family == family)
        suite = ElementTree.SubElement(suites, "testsuite", {"name": f"keepmum.{family}", **_counts(findings)})
        for finding in findings:
            _case(suite, finding)
    ElementTree.indent(suites)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _counts(findings: tuple[Finding, ...]) -> dict[str, str]:
    kinds = [_kind(f.outcome) for f in findings]
    return {
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
    }


def _kind(outcome: Outcome) -> str:
    return {Outcome.LEAK: "failure", Outcome.NO_LEAK_FOUND: "", Outcome.ERROR: "error"}.get(outcome, "skipped")


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    case = ElementTree.SubElement(suite, "testcase", name=_clean(finding.id), classname=f"keepmum.{finding.family}")
    numbers = [f"{metric_label(name)}: {metric_text(name, value)}" for name, value in ordered(finding.metrics, METRICS)]
    refused = [f"{metric_label(name)}: {why}" for name, why in ordered(finding.refused, METRICS)]
    kind = _kind(finding.outcome)
    if kind:
        why = finding.reason or finding.explanation
        message = f"{said(finding)}: {why}" if why else said(finding)
        told = ElementTree.SubElement(case, kind, message=_clean(message))
        if kind != "skipped":
            told.set("type", finding.outcome.value)
        told.text = _clean("\n".join([finding.explanation, *numbers]).strip())
    elif numbers or refused:
        ElementTree.SubElement(case, "system-out").text = _clean("\n".join([finding.explanation, *numbers, *refused]))


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
