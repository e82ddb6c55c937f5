import math
from dataclasses import replace

import pytest

from keepmum.findings import Finding, Outcome
from keepmum.report import Report
from keepmum.report.compare import Direction, compare
from keepmum.stats import Estimate


def report(**aucs: tuple[float, float, float]) -> Report:
    findings = [
        Finding(f"membership/{name}", "membership", Outcome.LEAK, metrics={"auc": Estimate(*auc)})
        for name, auc in aucs.items()
    ]
    return Report(Outcome.LEAK, "", tuple(findings), {}, {})


def test_a_leaky_model_made_tight_got_better(leaky, tight):
    changed = compare(leaky, tight)
    assert changed.direction == Direction.BETTER
    assert changed.statement == "It got better: 8 of 8 attacks measured in both became weaker, none became stronger."
    assert changed.outcomes["membership/loss"] == (Outcome.LEAK, Outcome.NO_LEAK_FOUND)
    assert "membership/broken" in changed.only_before
    assert changed.only_after == ()


def test_the_other_way_round_it_got_worse(leaky, tight):
    there, back = compare(leaky, tight), compare(tight, leaky)
    assert back.direction == Direction.WORSE
    first, second = there.change("membership/loss", "auc"), back.change("membership/loss", "auc")
    assert first.difference.low == pytest.approx(-second.difference.high)
    assert first.difference.value == pytest.approx(-second.difference.value)


def test_a_report_against_itself_is_undecided(leaky):
    changed = compare(leaky, leaky)
    assert changed.direction == Direction.UNDECIDED
    assert {c.direction for c in changed.changes} == {Direction.UNDECIDED}


def test_one_attack_that_grew_stronger_outweighs_many_that_grew_weaker():
    before = report(a=(0.7, 0.68, 0.72), b=(0.7, 0.68, 0.72), c=(0.6, 0.58, 0.62))
    after = report(a=(0.5, 0.48, 0.52), b=(0.5, 0.48, 0.52), c=(0.8, 0.78, 0.82))
    changed = compare(before, after)
    assert changed.direction == Direction.WORSE
    assert "1 of 3" in changed.statement
    assert "2 became weaker" in changed.statement


def test_many_comparisons_are_paid_for():
    """A gap of 2.2 standard errors is a change alone, and none among twenty."""
    half = 1.96 / math.sqrt(2)
    low, high = (0.5, 0.5 - 0.01 * half, 0.5 + 0.01 * half), (0.522, 0.522 - 0.01 * half, 0.522 + 0.01 * half)
    assert compare(report(a=low), report(a=high)).direction == Direction.WORSE
    others = {f"b{i}": low for i in range(19)}
    changed = compare(report(a=low, **others), report(a=high, **others))
    assert changed.direction == Direction.UNDECIDED
    assert changed.change("membership/a", "auc").direction == Direction.WORSE


def test_one_sided_bounds_decide_nothing(leaky, tight):
    change = compare(leaky, tight).change("membership/loss", "epsilon_lower_bound")
    assert change.difference.low == -math.inf
    assert change.direction == Direction.UNDECIDED


def test_an_infinite_value_does_no_harm():
    endless = Estimate(math.inf, math.inf, math.inf)
    one = report(a=(0.5, 0.4, 0.6))
    spoiled = replace(one, findings=(replace(one.findings[0], metrics={"auc": endless}),))
    for pair in ((spoiled, spoiled), (one, spoiled), (spoiled, one)):
        assert compare(*pair).direction == Direction.UNDECIDED


def test_nothing_shared_is_said():
    assert "share no attack" in compare(report(a=(0.5, 0.4, 0.6)), report(b=(0.5, 0.4, 0.6))).statement
    assert compare(report(), report()).direction == Direction.UNDECIDED


def test_a_change_that_is_not_there_is_none(leaky, tight):
    assert compare(leaky, tight).change("membership/loss", "tpr_at_fpr_0.001") is None


def test_what_comes_out_of_language_models_stands_side_by_side(leaky):
    from keepmum.findings import EXTRACTABLE, Slice
    from keepmum.report._html import render_comparison
    from keepmum.report._words import metric_value

    def model(name: str, out: float, bits: dict[str, float]) -> tuple[str, Report]:
        exact = {key: Estimate(value, value, value) for key, value in {"extracted": out, "auc": 0.5 + out / 2}.items()}
        none = {"extracted": Estimate(0.0, 0.0, 0.1)}
        parts = tuple(Slice("repeats", n, 4, 4, {"exposure": Estimate(b, b, b)}) for n, b in bits.items())
        ranked = {**exact, "exposure": Estimate(3.0, 3.0, 3.0)}
        found = (
            Finding("extraction/exposure", "extraction", Outcome.LEAK, "", 0, ranked, control=none, slices=parts),
            Finding("extraction/greedy", "extraction", Outcome.LEAK, "", 0, exact, control=none, verdict=EXTRACTABLE),
        )
        return name, replace(leaky, findings=found)

    page = render_comparison([model("before", 0.75, {"1": 2.5, "64": 13.25}), model("after", 0.25, {"1": 2.0})])
    assert "What text comes out" in page
    for cell in ("1 ×: 2.5, 64 ×: 13.2", "1 ×: 2.0", EXTRACTABLE):
        assert cell in page, cell
    for share in (0.75, 0.25):
        assert metric_value("extracted", Estimate(share, share, share)) in page
    assert "What text comes out" not in render_comparison([("before", leaky), ("after", leaky)])
