import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepmum.errors import DataError
from keepmum.findings import Check, Coverage, Curve, Finding, Outcome, Played, Slice
from keepmum.report import SCHEMA_VERSION, Report
from keepmum.report._json import dumps, loads, schema
from keepmum.stats import Estimate

numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=8)
estimates = st.builds(Estimate, numbers, numbers | st.just(-math.inf), numbers | st.just(math.inf), numbers)
metrics = st.dictionaries(texts, estimates, max_size=2)
tuples = st.lists(numbers, max_size=3).map(tuple)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
findings = st.builds(
    Finding,
    id=texts,
    family=texts,
    outcome=st.sampled_from(Outcome),
    queries=st.integers(0, 10**9),
    metrics=metrics,
    baseline=metrics,
    control=metrics,
    refused=st.dictionaries(texts, texts, max_size=2),
    p_value=st.none() | numbers,
    explanation=texts,
    slices=st.lists(st.builds(Slice, texts, texts, st.integers(0, 9), st.integers(0, 9), metrics), max_size=2).map(
        tuple
    ),
    curve=st.none() | st.builds(Curve, tuples, tuples, tuples, tuples, tuples),
    references=st.lists(texts, max_size=2).map(tuple),
)
checks = st.builds(Check, texts, st.none() | st.booleans(), texts, metrics, st.dictionaries(texts, numbers, max_size=2))
coverages = st.builds(
    Coverage, texts, texts, texts, st.lists(st.builds(Played, texts, texts, texts), max_size=2).map(tuple)
)
reports = st.builds(
    Report,
    outcome=st.sampled_from(Outcome),
    verdict=texts,
    findings=st.lists(findings, max_size=2).map(tuple),
    instrument=st.dictionaries(texts, checks, max_size=2),
    coverage=st.dictionaries(texts, coverages, max_size=2),
    target=st.dictionaries(texts, values, max_size=2),
    sample=st.dictionaries(texts, st.integers(0, 10**6), max_size=2),
    settings=st.dictionaries(texts, values, max_size=2),
    limits=st.lists(texts, max_size=2).map(tuple),
    reproducibility=st.dictionaries(texts, values, max_size=2),
)


@settings(max_examples=50, deadline=None)
@given(reports)
def test_what_was_written_is_read_exactly(report):
    text = dumps(report)
    assert loads(text) == report
    assert dumps(loads(text)) == text


def test_one_line_with_the_fields_that_are_promised(leaky):
    text = dumps(leaky)
    assert "\n" not in text
    data = json.loads(text)
    assert list(data)[:4] == ["schema_version", "keepmum_version", "outcome", "verdict"]
    first = data["findings"][0]
    assert list(first) == [
        *("id", "family", "outcome", "access", "queries", "metrics", "baseline", "control", "refused"),
        *("p_value", "adjusted_p_value", "explanation", "reason", "slices", "curve", "references"),
        *("subject", "verdict", "progress"),
    ]
    assert set(first["metrics"]["auc"]) == {"value", "low", "high", "confidence"}
    assert first["metrics"]["epsilon_lower_bound"]["high"] is None
    assert data["instrument"]["positive_control"]["passed"] is True
    assert data["coverage"]["attribute"]["status"] == "not_implemented"


def test_order_of_mappings_does_not_matter(leaky):
    backwards = dict(reversed(leaky.settings.items()))
    assert dumps(replace(leaky, settings=backwards)) == dumps(leaky)


def test_numpy_numbers_are_numbers(leaky):
    text = dumps(replace(leaky, settings={"seed": np.int64(3), "sizes": np.array([1.5])}))
    assert loads(text).settings == {"seed": 3, "sizes": [1.5]}


def test_what_is_written_follows_the_schema(leaky, tight):
    described = schema()
    jsonschema.Draft202012Validator.check_schema(described)
    for report in (leaky, tight):
        jsonschema.validate(json.loads(dumps(report)), described)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("verdict"),
        lambda d: d.update(outcome="safe"),
        lambda d: d["findings"][0].update(queries="many"),
        lambda d: d["findings"][0]["metrics"]["auc"].update(value="high"),
        lambda d: d.update(schema_version=SCHEMA_VERSION + 1),
    ],
)
def test_the_schema_refuses_what_is_no_report(leaky, spoil):
    data = json.loads(dumps(leaky))
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema())


def test_every_field_is_described():
    described = schema()
    for part in (
        described,
        *(described["$defs"][name] for name in described["$defs"] if "properties" in described["$defs"][name]),
    ):
        missing = [name for name, field in part["properties"].items() if "description" not in field]
        assert not missing


def test_a_newer_schema_is_told_with_what_to_do(leaky):
    data = json.loads(dumps(leaky)) | {"schema_version": SCHEMA_VERSION + 1, "keepmum_version": "9.0"}
    with pytest.raises(DataError, match=r"got 2 \(written by keepmum 9.0\): update keepmum"):
        loads(json.dumps(data))


def test_fields_of_a_later_version_are_passed_over(leaky):
    data = json.loads(dumps(leaky)) | {"later": 1}
    data["findings"][0]["later"] = {"metrics": 2}
    assert loads(json.dumps(data)) == leaky


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '"report"',
        '{"schema_version": "1"}',
        '{"schema_version": 1}',
        "[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_damage_is_one_clear_line(text):
    with pytest.raises(DataError, match="expected a keepmum report") as caught:
        loads(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [10, 1000, 20000])
def test_a_report_cut_off_is_damage(leaky, cut):
    with pytest.raises(DataError, match="damaged or cut off"):
        loads(dumps(leaky)[:cut])


@pytest.mark.parametrize("metric", [None, 3, "high", {"value": "x", "low": 0, "high": 1}, {"low": 0}])
def test_a_spoiled_number_is_named(leaky, metric):
    data = json.loads(dumps(leaky))
    data["findings"][0]["metrics"]["auc"] = metric
    with pytest.raises(DataError, match=r"damaged one: findings\.0\.metrics\.auc"):
        loads(json.dumps(data))


def test_what_json_cannot_hold_is_refused(leaky):
    for odd in (math.nan, object()):
        with pytest.raises(DataError, match="got one that is not"):
            dumps(replace(leaky, settings={"odd": odd}))
