"""The words and number formats that every rendering shares."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from keepmum.findings import (
    CLASS_LEVEL,
    EXTRACTABLE,
    FAMILIES,
    IDENTITY_LEVEL,
    MEMORIZED,
    NO_EVIDENCE,
    NOTHING_BEYOND_IMPUTATION,
    NOTHING_BEYOND_PRIOR,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Check,
    Finding,
    Outcome,
    Trait,
)
from keepmum.report._report import Report
from keepmum.stats import Estimate

T = TypeVar("T")

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.LEAK: "leak",
    Outcome.NO_LEAK_FOUND: "no leak found",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.SKIPPED: "skipped",
    Outcome.ERROR: "failed to run",
}
MEASURED = (Outcome.LEAK, Outcome.NO_LEAK_FOUND, Outcome.INCONCLUSIVE)

METRICS: Mapping[str, str] = {
    "auc": "AUC",
    "tpr_at_fpr_0.1": "found at 10 % false alarms",
    "tpr_at_fpr_0.01": "found at 1 % false alarms",
    "tpr_at_fpr_0.001": "found at 0.1 % false alarms",
    "advantage": "advantage",
    "balanced_accuracy": "balanced accuracy",
    "precision": "right among the accused",
    "epsilon_lower_bound": "epsilon, lower bound",
    "attribute_auc": "AUC of the guessed value",
    "within_tolerance": "guessed close enough",
    "hit_rate": "guessed right",
    "balanced_hit_rate": "guessed right, each value counted alike",
    "mcc": "Matthews correlation",
    "r_squared": "R²",
    "hit_rate_of_surest": "right among the surest guesses",
    "attribute_tpr_at_fpr_0.01": "rarest value found at 1 % false alarms",
    "advantage_over_imputation": "beyond imputation",
    "advantage_over_nonmembers": "beyond people it never saw",
    "recovered_share": "rows recovered",
    "median_error": "median error",
    "noise_that_stops_it": "noise that stops it",
    "accuracy_without_noise": "accuracy without that noise",
    "accuracy_with_noise": "accuracy with that noise",
    "identified": "recognized by every recognizer",
    "resemblance": "resemblance",
    "resemblance_to_class_mean": "resemblance to the mean image of the class",
    "resemblance_of_best_public_record": "resemblance of the best public record",
    "gain_over_prior": "gain over the best guess without a search",
    "resemblance_to_strangers": "resemblance to people of other classes",
    "ssim_to_class_mean": "structural similarity to the mean image of the class",
    "psnr_to_class_mean": "signal-to-noise ratio to the mean image of the class, in decibels",
    "prior_distance": "distance from what images look like",
    "prior_distance_of_images": "distance of real images at most",
    "diversity": "difference of pictures of one class from search to search",
    "people_per_class": "people per class",
    "extracted": "came out",
    "exposure": "exposure, bits",
    "attackers_own_score": "the attacker's own score (no success)",
}
TPRS: Mapping[str, str] = {"tpr_at_fpr_0.1": "10 %", "tpr_at_fpr_0.01": "1 %", "tpr_at_fpr_0.001": "0.1 %"}
PRIMARY = ("auc", "attribute_auc", "within_tolerance")
"""How strong an attack is; a finding holds at most one of these."""

ATTRIBUTE = "attribute"
INVERSION = "inversion"
EXTRACTION = "extraction"
"""Families whose findings have a section of their own."""
IDENTIFIED_BY, ACCURACY_OF = "identified_by_", "accuracy_of_"
"""Metrics of recognizers: what each says of pictures, and how good it is itself."""
JUDGES: Mapping[str, str] = {
    "lda": "linear discriminant",
    "svm": "support vector machine",
    "class_mean": "nearest class mean",
}
"""Recognizers that pictures are shown to."""
VERDICTS: Mapping[str, str] = {
    RECORD_LEVEL: "The model remembers people it was trained on: the attack does better on them than anyone does "
    "without the model, and better than on people whom the model never saw.",
    POPULATION_LEVEL: "Whoever can ask the model learns more than without it, about anyone: that the attack does "
    "better on the people it was trained on was not shown.",
    NOTHING_BEYOND_IMPUTATION: "What the attack guesses can be guessed without the model, from what is known anyway: "
    "that the model adds to this correlation was not shown.",
    IDENTITY_LEVEL: "Each class is a person, and pictures drawn from the model show who it is, which nobody could draw "
    "without the model: that they show the very images it was trained on was not shown.",
    CLASS_LEVEL: "The model shows what people of a class are like; that it shows one of them was not shown.",
    NOTHING_BEYOND_PRIOR: "What the attack shows can be shown without the model, from people of the same kind.",
    EXTRACTABLE: "The model recites its training data: whoever asks it gets text that stood there, and not text that "
    "might have stood there.",
    MEMORIZED: "The model remembers its training data: it favors text that stood there over text that might have. That "
    "the text comes out was not shown.",
    NO_EVIDENCE: "Text of the training data fares as text that might have stood there.",
}
"""What each kind of leakage means."""

TRAITS: Mapping[str, tuple[str, str]] = {
    "label_doubted": (
        "Their label is doubted",
        "models that never saw them find it less likely than the others together",
    ),
    "rare_class": ("Their class is rare", "it has less than a third of an equal share of the people"),
    "isolated": ("Few are like them", "among the 5 % of all people who are furthest from their nearest"),
}
CHECKS: Mapping[str, str] = {
    "positive_control": "A model made to memorize is caught",
    "negative_control": "People it never saw look alike",
    "blind_baseline": "The two groups cannot be told apart without the model",
    "overlap": "Nobody is in both groups",
    "direction": "Members score higher, not lower",
    "power": "The sample is large enough",
    "shadow_fidelity": "Shadow models are like the target",
    "negative_control_of_secrets": "Secrets it never saw look alike",
    "blind_baseline_of_secrets": "Secrets and twins cannot be told apart without the model",
    "direction_of_secrets": "Planted secrets score higher, not lower",
    "power_of_secrets": "There are enough secrets",
    "handshake_answers": "The model listens to what it is asked",
    "handshake_seeds": "What it writes can be repeated",
    "handshake_repeat": "Its scores are the same twice",
    "handshake_greedy": "Its scores are those of what it writes",
    "handshake_steps": "Scores of single tokens and of texts agree",
    "handshake_chain_rule": "Scores of parts add up",
    "handshake_sums": "Likely tokens have no more than all probability",
    "handshake_distribution": "All tokens have all probability",
    "handshake_token_boundary": "Tokens are cut where texts meet",
    "handshake_fill": "Probabilities at a mask are probabilities",
}
STATUSES: Mapping[str, str] = {
    "executed": "executed",
    "not_applicable": "not applicable",
    "skipped": "skipped",
    "failed": "failed",
    "not_implemented": "not tested",
}
FALLBACK: Mapping[Outcome, str] = {
    Outcome.LEAK: "This model gives away something about the people in its training data.",
    Outcome.NO_LEAK_FOUND: "The attacks that were run found no leak of training data.",
}
EVIDENCE = (
    "This report is evidence, not a certificate. It does not claim that the model is safe, anonymous or compliant "
    "with any law: it tells what the attacks listed here could and could not find. "
    "Audit only models that you own or may test."
)
FEW = 10
"""Groups smaller than this are shown as "fewer than 10", as disclosure control asks."""


def verdict(report: Report) -> str:
    """The report's sentence, or a plain one where it has none."""
    return report.verdict or FALLBACK.get(report.outcome, "This audit could not reach a conclusion.")


def consequence(report: Report) -> tuple[str, str]:
    """The verdict without the sentence it quotes, and that sentence: what it means for people."""
    sentence, worst = verdict(report), headline(report)
    quoted = worst.explanation if worst else ""
    short = sentence.replace(quoted, "").strip() if quoted else sentence
    return short or sentence, quoted


def first_sentence(text: str) -> tuple[str, str]:
    """The first sentence, and the rest."""
    first, _, rest = re.sub(r"(?<=[a-z][.!?]) +(?=[A-Z])", "\0", text, count=1).partition("\0")
    return first, rest


def model_name(report: Report) -> str:
    """What the report calls the model: its file or name where told, else its kind."""
    places = (report.target.get("source"), report.reproducibility.get("model"), report.target.get("kind"))
    return next((str(place) for place in places if place), "not told")


def metric_label(name: str) -> str:
    """Label of a metric for people."""
    if name in METRICS:
        return METRICS[name]
    judge, five, _ = name.removeprefix(IDENTIFIED_BY).partition("_in_5")
    if name.startswith(IDENTIFIED_BY):
        return f"recognized by the {JUDGES.get(judge, judge)}{', among its first 5' if five else ''}"
    if name.startswith(ACCURACY_OF):
        judge = name.removeprefix(ACCURACY_OF)
        return f"accuracy of the {JUDGES.get(judge, judge)} itself"
    return name.replace("_", " ")


def family_question(family: str) -> str:
    """The question that a family of attacks asks."""
    return FAMILIES.get(family, "")


def split_id(attack: str) -> tuple[str, str]:
    """Technique and variant of an id: ``membership/loss:per-class`` gives ``("loss", "per class")``."""
    technique, _, variant = attack.split("/", 1)[-1].partition(":")
    return technique.replace("-", " "), variant.replace("-", " ")


def is_rate(name: str) -> bool:
    """Whether a metric reads best in percent."""
    return (
        name.startswith(
            ("tpr_at_fpr", "attribute_tpr_at_fpr", "share_", "hit_rate", "accuracy", "identified", "extracted")
        )
        or name.endswith(("_share", "_hit_rate"))
        or name in ("precision", "gap", "within_tolerance")
    )


def number(value: float, digits: int = 3) -> str:
    """A number with so many decimals, two digits of smaller ones; infinity as its sign."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if 0 < abs(value) < 10**-digits:
        return f"{value:.2g}"
    return f"{value:.{digits}f}"


def percent(share: float) -> str:
    """A share as percent without the sign: one decimal, two below 1 %."""
    hundred = 100 * share
    return f"{hundred:.2f}" if 0 < hundred < 0.995 else f"{hundred:.1f}"


def metric_value(name: str, estimate: Estimate) -> str:
    """The value alone."""
    if is_rate(name):
        return f"{percent(estimate.value)} %"
    return f"{estimate.value:,g}" if _exact(estimate) else number(estimate.value)


def _exact(estimate: Estimate) -> bool:
    """A count, known without error."""
    return estimate.low == estimate.value == estimate.high and float(estimate.value).is_integer()


def metric_interval(name: str, estimate: Estimate) -> str:
    """The interval alone, or an empty text for a one-sided bound and for what is known without error."""
    if math.isinf(estimate.high) or (estimate.low == estimate.value == estimate.high and not is_rate(name)):
        return ""
    if is_rate(name):
        return f"{percent(estimate.low)} to {percent(estimate.high)}"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def metric_text(name: str, estimate: Estimate) -> str:
    """Value and interval in one line."""
    interval = metric_interval(name, estimate)
    value = metric_value(name, estimate)
    if not interval:
        return f"at least {value}" if math.isinf(estimate.high) else value
    return f"{value} [{interval.replace(' to ', ', ')}]"


def ordered(mapping: Mapping[str, T], known: Mapping[str, object]) -> list[tuple[str, T]]:
    """Entries in the order of the known names, then by name: a report that was read back looks as it did before."""
    names = [name for name in known if name in mapping] + sorted(set(mapping) - set(known))
    return [(name, mapping[name]) for name in names]


def seen(check: Check) -> str:
    """What a test of the instrument saw, without the result that stands beside it anyway."""
    text = check.explanation.removeprefix("Not done: ")
    return text[:1].upper() + text[1:]


def p_text(p_value: float | None) -> str:
    """A p-value; small ones as a bound."""
    if p_value is None:
        return ""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def people(count: int) -> str:
    """A number of people; small groups are not told apart."""
    return f"{count:,}" if count >= FEW or count == 0 else f"fewer than {FEW}"


def exposure_line(report: Report) -> str:
    """How exposed single members are, in a line, or why it is not told; nothing where there is nothing to tell."""
    found = report.exposure
    return "" if found is None else found.explanation or f"not told: {found.reason}"


def few(share: float | None) -> str:
    """A share as text; that of fewer than ten people is not told."""
    return f"fewer than {FEW} people" if share is None else f"{percent(share)} %"


def trait(found: Trait) -> tuple[str, str]:
    """What a trait is called, and what it means."""
    return TRAITS.get(found.name, (found.name.replace("_", " "), ""))


def headline(report: Report) -> Finding | None:
    """The finding that says most: the worst leak, else the strongest of the others that were measured.

    The one that the verdict quotes, if it quotes one. Else ordered by what an accusation is worth at least, then by
    the lower end of the AUC; guesses of hidden attributes come after accusations.
    """
    measured = [f for f in report.findings if f.outcome in MEASURED and (f.metrics or f.explanation)]
    said = [f for f in measured if f.explanation and f.explanation in report.verdict]
    if said:
        return said[0]
    leaks = [f for f in measured if f.outcome == Outcome.LEAK]
    return max(
        leaks or measured,
        key=lambda f: (*(_low(f, n) for n in ("precision", *PRIMARY, "identified", "resemblance")),),
        default=None,
    )


def by_strength(findings: Sequence[Finding]) -> list[Finding]:
    """Findings in the order of a table: leaks before all others, then by the lower end of the AUC."""
    return sorted(findings, key=lambda f: (f.outcome != Outcome.LEAK, -_low(f, "auc"), -_low(f, "precision"), f.id))


def _low(finding: Finding, name: str) -> float:
    return finding.metrics[name].low if name in finding.metrics else -1.0


def primary(finding: Finding) -> str:
    """Name of the metric that tells how strong the attack is, or an empty text."""
    return next((name for name in PRIMARY if name in finding.metrics), "")


def general(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that stand in no section of their own: hidden attributes, looks and texts have one each."""
    return [f for f in findings if f.family not in (ATTRIBUTE, INVERSION, EXTRACTION)]


def said(finding: Finding) -> str:
    """The outcome in words, with the kind of leakage where the family has words for it."""
    return ", ".join(part for part in (OUTCOMES[finding.outcome], finding.verdict) if part)
