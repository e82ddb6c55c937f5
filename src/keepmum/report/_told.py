"""What is said first about one question of an audit: the strongest attack on it, and what its verdict means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepmum.findings import Finding, Outcome
from keepmum.report import _words as words
from keepmum.stats import Estimate


@dataclass(frozen=True)
class Told:
    """A question that attacks were tried on.

    Attributes:
      strongest: The attack that says most, or None where nothing was measured.
      reasons: Why nothing can be said, where nothing can; the first that is not empty is told.
    """

    strongest: Finding | None
    reasons: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The strongest verdict, or an empty text."""
        return self.strongest.verdict if self.strongest else ""

    @property
    def outcome(self) -> Outcome:
        """The strongest outcome; without a measurement, inconclusive."""
        return self.strongest.outcome if self.strongest else Outcome.INCONCLUSIVE

    @property
    def meaning(self) -> str:
        """What the verdict means, or why there is none."""
        if self.verdict in words.VERDICTS:
            return words.VERDICTS[self.verdict]
        reasons = [self.strongest.reason] if self.strongest else []
        reasons += [*self.reasons, "no attack on it was measured"]
        return f"Nothing can be said about it: {next(r for r in reasons if r).rstrip('.')}."

    @property
    def sentence(self) -> str:
        """What the strongest attack does, in a sentence; an empty text where nothing can be said."""
        return "" if self.strongest is None or self.outcome is Outcome.INCONCLUSIVE else self.strongest.explanation

    @property
    def said(self) -> str:
        """Outcome and verdict in words."""
        return ", ".join(part for part in (words.OUTCOMES[self.outcome], self.verdict) if part)


def by_verdict(findings: Sequence[Finding], order: Sequence[str], metrics: Sequence[str]) -> list[Finding]:
    """Leaks first, then by the kind of leakage, then by the lower end of how strong the attack is.

    Args:
      findings: Attacks on one question.
      order: Verdicts, worst first.
      metrics: Names of metrics that tell how strong an attack is; the first that it has counts.
    """

    def place(finding: Finding) -> tuple[bool, int, float, str]:
        kind = order.index(finding.verdict) if finding.verdict in order else len(order)
        metric = next((name for name in metrics if name in finding.metrics), "")
        return finding.outcome != Outcome.LEAK, kind, -finding.metrics[metric].low if metric else 1.0, finding.id

    return sorted(findings, key=place)


def everything(sides: Sequence[tuple[str, Mapping[str, Estimate]]]) -> tuple[tuple[str, str], ...]:
    """Every number of a finding with its label; those of all sides but the first name the side."""
    return tuple(
        (f"{words.metric_label(key)}{f', {name}' if number else ''}", words.metric_text(key, value))
        for number, (name, numbers) in enumerate(sides)
        for key, value in words.ordered(numbers, words.METRICS)
    )
