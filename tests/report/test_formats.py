import csv
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from keepmum.findings import Finding, Outcome
from keepmum.report import Report
from keepmum.report._frame import frame
from keepmum.report._junit import junit
from keepmum.report._markdown import markdown
from keepmum.report._sarif import location, sarif
from keepmum.report._words import EVIDENCE


def test_markdown_has_whole_tables(leaky):
    text = markdown(leaky)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()]
        assert len(set(cells)) == 1
        widths[block] = cells[0]
    assert len(widths) == 3
    assert len(rows) > len(leaky.coverage) + len(leaky.instrument)
    for finding in leaky.findings:
        assert finding.id in text
    assert "needs 3,000 non-members, has 2,000" in text
    assert leaky.verdict in text
    assert EVIDENCE in text


def test_markdown_tells_who_is_most_exposed_in_a_line(leaky):
    assert f"**Who is most exposed.** {leaky.exposure.explanation}\n" in markdown(leaky)
    assert "exposed" not in markdown(replace(leaky, exposure=None))


def test_markdown_cannot_be_broken_by_names(leaky):
    bad = replace(leaky.findings[0], id="a|b\n| c |<script>`*", reason="x\n\n# y", outcome=Outcome.ERROR)
    text = markdown(replace(leaky, findings=(bad,), verdict="<b>|\n# hi"))
    assert "<script>" not in text
    assert "\n# " not in text
    assert r"\<b\>\|" in text


def test_sarif_has_what_code_scanning_needs(leaky):
    data = json.loads(sarif(leaky))
    assert data["version"] == "2.1.0"
    assert data["$schema"].endswith("sarif-2.1.0.json")
    (run,) = data["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [f.id for f in leaky.findings]
    levels = {f.id: f.outcome for f in leaky.findings if f.outcome in (Outcome.LEAK, Outcome.INCONCLUSIVE)}
    assert {r["ruleId"] for r in run["results"]} == set(levels)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == {"leak": "error", "inconclusive": "warning"}[levels[result["ruleId"]]]
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "models/adult.skops"
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["keepmumFinding/v1"])
    assert run["invocations"][0]["executionSuccessful"] is False
    assert "expected finite scores" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_of_a_tight_model_raises_no_alert(tight):
    run = json.loads(sarif(tight))["runs"][0]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_fingerprints_hold_when_numbers_change_and_differ_between_findings(leaky):
    def prints(report):
        results = json.loads(sarif(report))["runs"][0]["results"]
        return {r["ruleId"]: r["partialFingerprints"]["keepmumFinding/v1"] for r in results}

    changed = [replace(f, explanation="other", metrics={}) for f in reversed(leaky.findings)]
    assert prints(replace(leaky, findings=tuple(changed))) == prints(leaky)
    assert len(set(prints(leaky).values())) == len(prints(leaky))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("models/adult.skops", "models/adult.skops"),
        ("my model.onnx", "my%20model.onnx"),
        ("/home/someone/adult.skops", "adult.skops"),
        (r"C:\Users\someone\adult.onnx", "adult.onnx"),
        (r"models\adult.onnx", "models/adult.onnx"),
        ("../../secret/adult.onnx", "adult.onnx"),
        ("RandomForestClassifier", "keepmum.toml"),
        ("", "keepmum.toml"),
    ],
)
def test_alerts_point_into_the_repository(leaky, source, place):
    assert location(replace(leaky, target={"source": source})) == place


def test_junit_counts_every_finding_once(leaky):
    root = ElementTree.fromstring(junit(leaky))
    cases = root.findall("./testsuite/testcase")
    assert [c.get("name") for c in cases] != []
    assert sorted(c.get("name") for c in cases) == sorted(f.id for f in leaky.findings)
    kinds = {c.get("name"): [child.tag for child in c] for c in cases}
    wanted = {Outcome.LEAK: ["failure"], Outcome.NO_LEAK_FOUND: ["system-out"], Outcome.ERROR: ["error"]}
    for finding in leaky.findings:
        assert kinds[finding.id] == wanted.get(finding.outcome, ["skipped"])
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(name)) == len(root.findall(f".//{tag}"))
        for suite in root:
            assert int(suite.get(name)) == len(suite.findall(f".//{tag}"))
    skipped = root.find(".//testcase[@name='membership/shadow']/skipped")
    assert skipped.get("message") == "skipped: the time budget of 60 s was spent"


def test_junit_of_a_tight_model_passes_and_tells_what_was_refused(tight):
    root = ElementTree.fromstring(junit(tight))
    assert root.get("failures") == "0"
    assert "needs 3,000 non-members" in root.find(".//testcase[@name='membership/loss']/system-out").text


def test_junit_stays_xml_whatever_an_error_says(leaky):
    bad = Finding("membership/x", "membership", Outcome.ERROR, reason="\x00\x1b[31m </error> ]]> \ud800 & ü")
    root = ElementTree.fromstring(junit(replace(leaky, findings=(bad,))))
    assert "</error> ]]>" in root.find(".//error").get("message")


def test_frame_has_a_row_a_finding_and_numbers(leaky):
    table = frame(leaky)
    assert list(table["id"]) == [f.id for f in leaky.findings]
    loss = table.set_index("id").loc["membership/loss"]
    estimate = leaky["membership/loss"].metrics["auc"]
    assert (loss["auc"], loss["auc_low"], loss["auc_high"]) == (estimate.value, estimate.low, estimate.high)
    assert loss["control_auc"] == leaky["membership/loss"].control["auc"].value
    assert table["auc"].dtype == float
    assert list(table.columns[-2:]) == ["explanation", "reason"]
    assert "tpr_at_fpr_0.001" not in table


def test_frame_of_nothing_has_no_rows():
    assert len(frame(Report(Outcome.INCONCLUSIVE, "", (), {}, {}))) == 0


def test_csv_reads_back(leaky):
    rows = list(csv.DictReader(io.StringIO(frame(leaky).to_csv(index=False))))
    assert [row["outcome"] for row in rows] == [f.outcome.value for f in leaky.findings]
