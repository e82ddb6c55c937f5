"""Hold a report against limits: pass, fail or inconclusive, always with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from keepmum.choices import Doubt
from keepmum.errors import ConfigError
from keepmum.findings import Finding, Outcome

if TYPE_CHECKING:
    from keepmum.report import Report
    from keepmum.settings import PolicySettings
    from keepmum.stats import Estimate

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "auc": "Area under the ROC curve: how often a random member scores above a random non-member. 0.5 is guessing.",
        "advantage": "Largest true positive rate minus false positive rate over all thresholds. 0 is guessing.",
        "balanced_accuracy": "Share of right guesses when half of the people are members. 0.5 is guessing.",
        "tpr_at_fpr_0.1": "Share of members found while wrongly accusing 10 % of the others. 0.1 is guessing.",
        "tpr_at_fpr_0.01": "Share of members found while wrongly accusing 1 % of the others. 0.01 is guessing.",
        "tpr_at_fpr_0.001": "Share of members found while wrongly accusing 0.1 % of the others. 0.001 is guessing.",
        "precision": "Share of accusations that are right, at the declared prior. The prior is guessing.",
        "epsilon_lower_bound": "Least epsilon that fits these rates, were the answers independent. 0 shows nothing.",
        "stored_share": "Share of the members whose record stands verbatim in the model. 0 is none.",
        "share_in_small_leaves": "Share of the members who sit in a tree leaf that holds few training people.",
        "smallest_leaf": "Training people in the smallest leaf of any tree that was looked at.",
        "accuracy": "Share of the members whose label the model tells. Its control is that of the non-members.",
        "gap": "Accuracy on members minus accuracy on non-members. 0 is no difference.",
        "attribute_auc": "How often the value that a person has gets more belief for them than for a person who has "
        "another, mean over values by their share. 0.5 is guessing.",
        "hit_rate": "Share of people whose hidden attribute is guessed right.",
        "balanced_hit_rate": "Share guessed right within each value, mean over values. One divided by their number is "
        "guessing.",
        "mcc": "Correlation of guessed and true values (Matthews, Gorodkin). 0 is guessing.",
        "hit_rate_of_surest": "Share guessed right among the people of whom the attack is surest: a tenth of all, up "
        "to 100.",
        "attribute_tpr_at_fpr_0.01": "Share of people with the rarest value found while 1 % of the others are wrongly "
        "taken for them. 0.01 is guessing.",
        "within_tolerance": "Share of people whose hidden number is guessed close enough.",
        "r_squared": "Share of the variance of a hidden number that the guesses explain. 0 is the same guess for "
        "everybody; below 0 is worse.",
        "advantage_over_imputation": "attribute_auc (of numbers, within_tolerance) minus that of the best guess "
        "without the model, on the same people. 0 is nothing beyond imputation.",
        "advantage_over_nonmembers": "attribute_auc (of numbers, within_tolerance) on members minus that on "
        "non-members. 0 is no difference.",
        "recovered_share": "Share of missing rows recovered closely in every column. 0 is none.",
        "median_error": "Median error of what was reconstructed, in standard deviations of the worst column: less is "
        "closer.",
        "noise_that_stops_it": "Noise on the coefficients at which reconstruction is no better than a guess: more is "
        "more exposed.",
        "resemblance": "1 minus the standardized distance of what was reconstructed to the people of the class; of "
        "pictures, the correlation with the person who is most alike: more is nearer.",
        "gain_over_prior": "How much nearer a reconstruction is than the best guess without a search. 0 is no nearer.",
        "people_per_class": "People of the training data in the middle one of the classes: the fewer, the more one of "
        "them is shown.",
        "attackers_own_score": "Probability that the model gives the class of a made-up record. It is no success.",
        "identified": "Share of pictures whose class every recognizer names right. Recognizers never saw the training "
        "data. Noise can fool them all: see prior_distance.",
        "identified_by_lda": "Share of pictures whose class a linear discriminant names right.",
        "identified_by_lda_in_5": "Share of pictures whose class is among the first 5 of a linear discriminant.",
        "identified_by_svm": "Share of pictures whose class a support vector machine names right.",
        "identified_by_svm_in_5": "Share of pictures whose class is among the first 5 of a support vector machine.",
        "identified_by_class_mean": "Share of pictures that correlate most with the mean held-out image of their "
        "class: pixels alone, no recognizer.",
        "resemblance_to_strangers": "Correlation of pictures with the held-out person of another class who is most "
        "alike.",
        "ssim_to_class_mean": "Structural similarity of pictures to the mean held-out image of their class. 1 is the "
        "same.",
        "psnr_to_class_mean": "Peak signal-to-noise ratio of pictures to the mean held-out image of their class, in "
        "decibels: more is nearer.",
        "resemblance_to_class_mean": "Correlation of pictures with the mean image of their class, of people the model "
        "never saw. 0 is nothing in common, 1 the same.",
        "diversity": "How different pictures of the same class are from search to search: 1 minus their correlation. 0 "
        "is the same picture every time.",
        "prior_distance": "How far pictures are from what images of their kind look like. About 1 is usual.",
        "prior_distance_of_images": "How far real images are at most: pictures farther away are noise, no likenesses.",
        "duplicate_share": "Share of the members whose record also stands among the non-members.",
    }
)
"""What each metric says, and what guessing reaches."""

STRUCTURAL = frozenset({"stored_share", "share_in_small_leaves", "smallest_leaf"})
"""Metrics that only some models have: a limit to one that is absent is kept."""

ONE_SIDED = frozenset({"epsilon_lower_bound", "stored_share"})
"""Metrics judged by their low end alone: a lower bound has no upper end, and what stands in a file is no sample."""


class Verdict(StrEnum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Policy:
    """What is asked of a report.

    Attributes:
      name: Name that the decision quotes.
      fail_on: Outcomes of a finding that fail the gate.
      max: Upper limits by metric, for every finding that measured it.
      min: Lower limits by metric, likewise.
      on_inconclusive: What to do when the numbers cannot decide.
    """

    name: str = "default"
    fail_on: tuple[Outcome, ...] = (Outcome.LEAK,)
    max: Mapping[str, float] = field(default_factory=dict)
    min: Mapping[str, float] = field(default_factory=dict)
    on_inconclusive: Doubt = Doubt.FAIL

    def __post_init__(self) -> None:
        for metric in (*self.max, *self.min):
            if metric not in METRICS:
                from difflib import get_close_matches

                near = get_close_matches(metric, METRICS, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(METRICS)}"
                raise ConfigError(f"policy {self.name}: no metric {metric!r}; {hint}")

    def describe(self) -> str:
        """What the policy asks, in one sentence."""
        parts = [f"no finding may say {' or '.join(self.fail_on)}"] if self.fail_on else []
        parts += [f"{metric} at most {limit:g}" for metric, limit in self.max.items()]
        parts += [f"{metric} at least {limit:g}" for metric, limit in self.min.items()]
        then = {Doubt.FAIL: "inconclusive (exit 3)", Doubt.WARN: "go on with a warning", Doubt.PASS: "go on"}
        in_doubt = f"Where the numbers cannot decide: {then[self.on_inconclusive]}."
        return f"{'; '.join(parts) or 'nothing is asked'}. {in_doubt}"


DEFAULT = Policy()
"""No finding may say `leak`. Intervals and Holm's correction over all attacks decide, no limit is set by hand."""

TRE = Policy(
    name="tre",
    max=MappingProxyType({"auc": 0.65, "stored_share": 0.0}),
    min=MappingProxyType({"smallest_leaf": 5.0}),
)
"""For output checkers of trusted research environments, who release or refuse a file that leaves for good.

* No finding may say `leak`: a released file cannot be called back.
* ``stored_share`` at most 0: a single record that stands in the file stops its release. SACRO-ML rejects k-nearest
  neighbors and support vector machines at once for this reason.
* ``smallest_leaf`` at least 5: the rule of thumb of disclosure control that a published cell describes at least
  5 people; SACRO-ML counts ``min_samples_leaf`` below 5 as evidence against release.
* ``auc`` at most 0.65 in every attack: SACRO-ML's rule of thumb counts a mean AUC above 0.65 as evidence against
  release. Here the interval is judged, not the value, so an audit too small to tell is inconclusive.

The limits are conventions of output checkers, not measured thresholds of harm: set your own in ``[policy]``.

References:
  Jefferson et al. GRAIMATTER: Recommendations for disclosure control of trained machine learning models (2022).
  SACRO-ML, https://github.com/AI-SDC/SACRO-ML.
"""

POLICIES: Mapping[str, Policy] = MappingProxyType({"default": DEFAULT, "tre": TRE})


@dataclass(frozen=True)
class Decision:
    """What the gate says about one report.

    Attributes:
      outcome: Pass, fail or inconclusive.
      reasons: One sentence for each finding or limit that decided, worst first.
      policy: Name of the policy.
      on_inconclusive: What the policy does with `inconclusive`.
    """

    outcome: Verdict
    reasons: tuple[str, ...]
    policy: str
    on_inconclusive: Doubt = Doubt.FAIL

    @property
    def exit_code(self) -> int:
        """0 passed or told to go on, 1 failed, 3 inconclusive."""
        if self.outcome is Verdict.INCONCLUSIVE:
            return 3 if self.on_inconclusive is Doubt.FAIL else 0
        return 1 if self.outcome is Verdict.FAIL else 0

    def __bool__(self) -> bool:
        return self.outcome is Verdict.PASS


def decide(report: Report, policy: Policy | str | None = None) -> Decision:
    """Hold a report against a policy.

    A limit is broken when the interval lies above it, kept when the interval lies at or below it, and otherwise the
    gate is inconclusive: so is it when a metric was refused or an attack that was asked for was not played.

    Args:
      report: What an audit found.
      policy: A policy or the name of one; `DEFAULT` if None.

    Raises:
      ConfigError: No policy of that name.
    """
    policy = named(policy) if isinstance(policy, str) else policy or DEFAULT
    broken, unclear = list(_broken(report, policy)), list(_unclear(report, policy))
    if broken:
        return Decision(Verdict.FAIL, (*broken, *unclear), policy.name, policy.on_inconclusive)
    if unclear and policy.on_inconclusive is Doubt.PASS:
        return Decision(Verdict.PASS, tuple(unclear), policy.name, policy.on_inconclusive)
    if unclear:
        return Decision(Verdict.INCONCLUSIVE, tuple(unclear), policy.name, policy.on_inconclusive)
    played = sum(1 for f in report.findings if f.outcome in _MEASURED)
    kept = f"no finding of {played} breaks policy {policy.name}"
    return Decision(Verdict.PASS, (kept,), policy.name, policy.on_inconclusive)


def named(name: str) -> Policy:
    """A policy by its name.

    Raises:
      ConfigError: No policy of that name.
    """
    if name not in POLICIES:
        raise ConfigError(f"no policy {name!r}; there are {', '.join(POLICIES)}, or give a TOML file with [policy]")
    return POLICIES[name]


def from_settings(settings: PolicySettings) -> Policy:
    """The policy that a project file describes: the one it extends, with what it changes.

    Raises:
      ConfigError: An unknown policy, outcome or metric.
    """
    policy = named(settings.extends)
    changes: dict[str, object] = {}
    if settings.fail_on is not None:
        changes["fail_on"] = tuple(_outcome(word) for word in settings.fail_on)
    if settings.max:
        changes["max"] = {**policy.max, **settings.max}
    if settings.min:
        changes["min"] = {**policy.min, **settings.min}
    if settings.on_inconclusive is not None:
        changes["on_inconclusive"] = Doubt(settings.on_inconclusive)
    return replace(policy, **changes) if changes else policy  # type: ignore[arg-type]


def _outcome(word: str) -> Outcome:
    try:
        return Outcome(word)
    except ValueError:
        raise ConfigError(f"[policy] fail_on: no outcome {word!r}; there are {', '.join(Outcome)}") from None


_MEASURED = frozenset({Outcome.LEAK, Outcome.NO_LEAK_FOUND, Outcome.INCONCLUSIVE})
_STRENGTH = ("auc", "attribute_auc", "within_tolerance")
_UNPLAYED = frozenset({Outcome.SKIPPED, Outcome.ERROR, Outcome.INCONCLUSIVE})


def _broken(report: Report, policy: Policy) -> Iterator[str]:
    for finding, rule in _rules(report, policy):
        estimate = finding.metrics.get(rule.metric)
        if estimate is not None and rule.broken(estimate):
            yield f"{finding.id} {rule.metric} {estimate} is {rule.wrong_side} {rule.limit:g}"
    for finding in sorted(report.findings, key=_strength, reverse=True):
        if finding.outcome in policy.fail_on:
            yield f"{finding.id} says {finding.outcome}: {finding.explanation or finding.reason or 'see the report'}"


def _strength(finding: Finding) -> float:
    """What is in the model comes first, then the attacks that are surely strongest."""
    shown = next((finding.metrics[name] for name in _STRENGTH if name in finding.metrics), None)
    return 1.0 if shown is None else shown.low


def _unclear(report: Report, policy: Policy) -> Iterator[str]:
    if not any(f.outcome in _MEASURED for f in report.findings):
        yield "no attack was played: nothing is known about this model"
    if report.outcome is Outcome.INCONCLUSIVE:
        yield f"the audit is inconclusive: {report.verdict}"
    for finding in report.findings:
        if finding.outcome in _UNPLAYED and finding.outcome not in policy.fail_on:
            yield f"{finding.id} says {finding.outcome}: {finding.reason or 'see the report'}"
    for finding, rule in _rules(report, policy):
        estimate = finding.metrics.get(rule.metric)
        if estimate is None:
            yield f"{finding.id} {rule.metric} was refused: {finding.refused[rule.metric]}"
        elif not rule.broken(estimate) and not rule.kept(estimate):
            doubt = f"may be {rule.wrong_side} {rule.limit:g}: more records would tell"
            yield f"{finding.id} {rule.metric} {estimate} {doubt}"
    for metric in policy.max:
        if metric not in STRUCTURAL and not any(metric in f.metrics or metric in f.refused for f in report.findings):
            yield f"{metric} was measured by no finding, and the policy sets a limit to it"


@dataclass(frozen=True)
class _Rule:
    """One limit of a policy."""

    metric: str
    limit: float
    upper: bool

    @property
    def wrong_side(self) -> str:
        return "above" if self.upper else "below"

    def broken(self, estimate: Estimate) -> bool:
        """The whole interval lies on the wrong side."""
        return estimate.low > self.limit if self.upper else estimate.high < self.limit

    def kept(self, estimate: Estimate) -> bool:
        """The whole interval lies on the right side; its low end does for a one-sided metric."""
        if self.metric in ONE_SIDED:
            return not self.broken(estimate)
        return estimate.high <= self.limit if self.upper else estimate.low >= self.limit


def _rules(report: Report, policy: Policy) -> Iterator[tuple[Finding, _Rule]]:
    limits = [_Rule(m, limit, True) for m, limit in policy.max.items()]
    limits += [_Rule(m, limit, False) for m, limit in policy.min.items()]
    for finding in report.findings:
        for rule in limits:
            if rule.metric in finding.metrics or rule.metric in finding.refused:
                yield finding, rule
