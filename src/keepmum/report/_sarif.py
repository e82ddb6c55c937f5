"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote

from keepmum.findings import Finding, Outcome
from keepmum.report._report import Report
from keepmum.report._words import (
    EVIDENCE,
    family_question,
    metric_label,
    metric_text,
    model_name,
    primary,
    said,
    split_id,
)

LEVELS: Mapping[Outcome, str] = {Outcome.LEAK: "error", Outcome.INCONCLUSIVE: "warning"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report) -> str:
    """Leaks as errors, inconclusive findings as warnings; attacks that failed to run as notifications of the tool."""
    place = location(report)
    alerts = [f for f in report.findings if f.outcome in LEVELS]
    failed = [f for f in report.findings if f.outcome == Outcome.ERROR]
    driver = {
        "name": "keepmum",
        "semanticVersion": report.keepmum_version or "0",
        "rules": [_rule(f) for f in report.findings],
    }
    notes = [{"level": "error", "message": {"text": f"{f.id}: {f.reason}"}} for f in failed]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not failed, "toolExecutionNotifications": notes}],
        "results": [_result(report, f, place) for f in alerts],
        "properties": {"outcome": report.outcome.value, "verdict": report.verdict, "note": EVIDENCE},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def location(report: Report) -> str:
    """Where an alert points: the model's file as a relative URI, else the project's configuration.

    Absolute paths are cut to the file's name: they mean nothing in a repository and tell about a machine.
    """
    source = model_name(report)
    windows = PureWindowsPath(source)
    path = PurePosixPath(windows.as_posix() if "\\" in source else source)
    if not path.suffix or " " in path.suffix:
        return "keepmum.toml"
    outside = path.is_absolute() or bool(windows.drive) or ".." in path.parts
    return quote(path.name if outside else path.as_posix())


def _rule(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "name": "".join(word.capitalize() for word in split_id(finding.id)[0].split()),
        "shortDescription": {"text": f"{finding.family}: {' '.join(split_id(finding.id)).strip()}"},
        "fullDescription": {"text": family_question(finding.family) or finding.id},
        "properties": {"tags": ["privacy", finding.family], "references": list(finding.references)},
    }


def _result(report: Report, finding: Finding, place: str) -> dict[str, Any]:
    told, metric = [finding.explanation, finding.reason], primary(finding)
    told += [f"{metric_label(metric)} {metric_text(metric, finding.metrics[metric])}."] if metric else []
    told += [f"Verdict: {finding.verdict}."] if finding.verdict else []
    text = " ".join(part for part in told if part) or said(finding)
    kind = {"subject": finding.subject, "verdict": finding.verdict}
    print_of = hashlib.sha256(f"{finding.id}\0{place}".encode()).hexdigest()
    return {
        "ruleId": finding.id,
        "ruleIndex": [f.id for f in report.findings].index(finding.id),
        "level": LEVELS[finding.outcome],
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": place}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"keepmumFinding/v1": print_of},
        **({"properties": kind} if finding.subject or finding.verdict else {}),
    }
