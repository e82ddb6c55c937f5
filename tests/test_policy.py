from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from keepmum.errors import ConfigError
from keepmum.findings import Finding, Outcome
from keepmum.policy import DEFAULT, POLICIES, TRE, Doubt, Policy, Verdict, decide, from_settings, named
from keepmum.report import Report
from keepmum.settings import PolicySettings
from keepmum.stats import Estimate


def finding(outcome: Outcome = Outcome.NO_LEAK_FOUND, name: str = "membership/loss", **metrics: Estimate) -> Finding:
    return Finding(name, name.split("/")[0], outcome, metrics=metrics, explanation="What was seen.", reason="Why.")


def report(*findings: Finding, outcome: Outcome = Outcome.NO_LEAK_FOUND) -> Report:
    return Report(outcome, "What the audit says.", findings, {}, {})


def judged(low: float, high: float, policy: Policy) -> Verdict:
    return decide(report(finding(auc=Estimate((low + high) / 2, low, high))), policy).outcome


LIMIT = Policy("mine", fail_on=(), max={"auc": 0.6})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.61, 0.65, Verdict.FAIL),
        (0.50, 0.60, Verdict.PASS),
        (0.57, 0.63, Verdict.INCONCLUSIVE),
        (0.60, 0.63, Verdict.INCONCLUSIVE),  # the low end is at the limit, not above it
        (0.60, 0.60, Verdict.PASS),
    ],
)
def test_a_limit_is_judged_by_the_interval(low: float, high: float, expected: Verdict) -> None:
    assert judged(low, high, LIMIT) is expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 4, Verdict.FAIL), (5, 9, Verdict.PASS), (4, 6, Verdict.INCONCLUSIVE)],
)
def test_a_lower_limit_likewise(low: float, high: float, expected: Verdict) -> None:
    policy = Policy("mine", fail_on=(), min={"smallest_leaf": 5})
    found = finding(name="structural/small-leaves", smallest_leaf=Estimate(low, low, high))
    assert decide(report(found), policy).outcome is expected


def test_default_fails_on_any_leak() -> None:
    decision = decide(report(finding(), finding(Outcome.LEAK, "membership/entropy"), outcome=Outcome.LEAK))
    assert (decision.outcome, decision.exit_code, bool(decision)) == (Verdict.FAIL, 1, False)
    assert decision.reasons == ("membership/entropy says leak: What was seen.",)


def test_default_passes_when_nothing_was_found() -> None:
    decision = decide(report(finding()))
    assert (decision.outcome, decision.exit_code, bool(decision)) == (Verdict.PASS, 0, True)


def test_default_is_inconclusive_when_the_report_is() -> None:
    decision = decide(report(finding(), outcome=Outcome.INCONCLUSIVE))
    assert (decision.outcome, decision.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert "What the audit says." in decision.reasons[0]


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.ERROR, Outcome.INCONCLUSIVE])
def test_what_was_not_measured_is_not_passed(outcome: Outcome) -> None:
    decision = decide(report(finding(), finding(outcome, "membership/entropy")))
    assert decision.outcome is Verdict.INCONCLUSIVE
    assert decision.reasons == (f"membership/entropy says {outcome}: Why.",)


def test_what_cannot_be_played_does_not_count() -> None:
    assert decide(report(finding(), finding(Outcome.NOT_APPLICABLE, "structural/small-leaves"))).outcome is Verdict.PASS


def test_nothing_played_is_not_passed() -> None:
    assert decide(report(finding(Outcome.NOT_APPLICABLE))).outcome is Verdict.INCONCLUSIVE
    assert decide(report()).outcome is Verdict.INCONCLUSIVE


def test_a_refused_metric_is_inconclusive_and_tells_what_would_do() -> None:
    found = replace(finding(), refused={"tpr_at_fpr_0.001": "needs 3,000 non-members, has 200"})
    decision = decide(report(found), Policy("mine", max={"tpr_at_fpr_0.001": 0.01}))
    assert decision.outcome is Verdict.INCONCLUSIVE
    assert "needs 3,000 non-members" in decision.reasons[0]


def test_a_metric_that_nothing_measured_is_inconclusive() -> None:
    assert decide(report(finding()), LIMIT).outcome is Verdict.INCONCLUSIVE


def test_a_lower_bound_breaks_a_limit_or_is_taken_as_it_stands() -> None:
    policy = Policy("mine", fail_on=(), max={"epsilon_lower_bound": 1.0})
    bound = {low: finding(epsilon_lower_bound=Estimate(low, low, float("inf"))) for low in (0.5, 1.5)}
    assert decide(report(bound[0.5]), policy).outcome is Verdict.PASS
    assert decide(report(bound[1.5]), policy).outcome is Verdict.FAIL


@pytest.mark.parametrize(
    ("doubt", "outcome", "code"),
    [
        (Doubt.FAIL, Verdict.INCONCLUSIVE, 3),
        (Doubt.WARN, Verdict.INCONCLUSIVE, 0),
        (Doubt.PASS, Verdict.PASS, 0),
    ],
)
def test_what_doubt_leads_to(doubt: Doubt, outcome: Verdict, code: int) -> None:
    decision = decide(report(finding(Outcome.SKIPPED)), Policy(on_inconclusive=doubt))
    assert (decision.outcome, decision.exit_code) == (outcome, code)
    assert decision.reasons


def test_doubt_never_excuses_a_leak() -> None:
    policy = Policy(on_inconclusive=Doubt.PASS)
    assert decide(report(finding(Outcome.LEAK), finding(Outcome.ERROR, "a/b")), policy).exit_code == 1


def test_tre_refuses_stored_records_and_small_leaves_and_a_high_auc() -> None:
    fine = finding(auc=Estimate(0.5, 0.49, 0.51))
    stored = finding(name="structural/stored-records", stored_share=Estimate(0.1, 0.08, 0.12))
    clean = finding(name="structural/stored-records", stored_share=Estimate(0.0, 0.0, 0.001))
    leaves = finding(name="structural/small-leaves", smallest_leaf=Estimate(1, 1, 1))
    assert decide(report(fine), "tre").outcome is Verdict.PASS
    assert decide(report(fine, clean), "tre").outcome is Verdict.PASS
    assert decide(report(fine, stored), "tre").outcome is Verdict.FAIL
    assert decide(report(fine, leaves), "tre").outcome is Verdict.FAIL
    assert decide(report(fine, stored, leaves)).outcome is Verdict.PASS, "the default policy has no such limits"
    assert judged(0.66, 0.70, TRE) is Verdict.FAIL
    assert judged(0.60, 0.70, TRE) is Verdict.INCONCLUSIVE


def test_the_strongest_attack_is_named_first() -> None:
    weak, strong = (
        finding(Outcome.LEAK, f"membership/{name}", auc=Estimate(low, low, 1.0))
        for name, low in (("weak", 0.5), ("strong", 0.7))
    )
    assert decide(report(weak, strong)).reasons[0].startswith("membership/strong")


def test_a_report_gates_itself() -> None:
    assert report(finding(Outcome.LEAK)).gate().exit_code == 1
    assert report(finding(Outcome.LEAK)).gate("tre").policy == "tre"


def test_unknown_names_are_told() -> None:
    with pytest.raises(ConfigError, match="no policy 'strict'; there are default, tre"):
        named("strict")
    with pytest.raises(ConfigError, match=r"no metric 'acu'; did you mean auc\?"):
        Policy(max={"acu": 0.5})
    with pytest.raises(ConfigError, match="fail_on: no outcome 'leek'"):
        from_settings(PolicySettings(fail_on=("leek",)))


def test_a_policy_from_a_project_file_adds_to_the_one_it_extends() -> None:
    policy = from_settings(PolicySettings(extends="tre", max={"auc": 0.55}, min={"smallest_leaf": 10}))
    assert policy.max == {"auc": 0.55, "stored_share": 0.0}
    assert policy.min == {"smallest_leaf": 10}
    assert policy.fail_on == (Outcome.LEAK,)
    assert from_settings(PolicySettings(on_inconclusive="warn")).on_inconclusive is Doubt.WARN
    assert from_settings(PolicySettings(fail_on=())).fail_on == ()
    assert from_settings(PolicySettings()) is DEFAULT


def test_policies_are_frozen_and_tell_themselves() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULT.name = "other"  # type: ignore[misc]
    assert {policy.name for policy in POLICIES.values()} == set(POLICIES)
    assert "smallest_leaf at least 5" in TRE.describe()
