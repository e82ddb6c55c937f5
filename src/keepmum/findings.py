"""What an audit found: data only, no judgment beyond its own outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from keepmum.stats import Estimate


class Outcome(StrEnum):
    """What a finding says. There is no word for "safe": absence of evidence is all that a test can show."""

    LEAK = "leak"
    NO_LEAK_FOUND = "no_leak_found"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"
    SKIPPED = "skipped"
    ERROR = "error"


FAMILIES: Mapping[str, str] = {
    "membership": "Was this record trained on?",
    "structural": "Does the model itself hold records?",
    "attribute": "What is the hidden attribute of this person?",
    "inversion": "What do the trained inputs look like?",
    "extraction": "What text can be drawn out verbatim?",
}


RECORD_LEVEL = "record-level"
"""Verdict: the model gives away the people it was trained on more than others."""
POPULATION_LEVEL = "population-level"
"""Verdict: whoever has the model learns more about anyone, trained on or not."""
NOTHING_BEYOND_IMPUTATION = "nothing beyond imputation"
"""Verdict: no more is learned than can be inferred without the model."""
IDENTITY_LEVEL = "identity-level"
"""Verdict: the person that a class is can be recognized."""
CLASS_LEVEL = "class-level"
"""Verdict: what a class looks like is learned, not what one person does."""
NOTHING_BEYOND_PRIOR = "nothing beyond prior"
"""Verdict: no more is learned than from people of the same kind."""
EXTRACTABLE = "extractable"
"""Verdict: text of the training data comes out, written or as the likeliest; what might have stood there does not."""
MEMORIZED = "memorized (statistical)"
"""Verdict: the model favors text that it was trained on, though it does not come out."""
NO_EVIDENCE = "no evidence"
"""Verdict: text of the training data fares as text that might have stood there."""


@dataclass(frozen=True)
class Curve:
    """A thinned ROC curve and the histograms behind it: aggregates, fit to be shown.

    Attributes:
      fpr: False positive rates, ascending.
      tpr: True positive rates, ascending.
      edges: Edges of the histogram's bins, on the scale of the score's rank in the pool (0 … 1).
      members: Share of the members in each bin.
      nonmembers: Share of the non-members in each bin.
    """

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    edges: tuple[float, ...]
    members: tuple[float, ...]
    nonmembers: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """One line of a `Trend`: means over a group of secrets, with their intervals.

    Attributes:
      name: ``planted``, ``twins``, or ``repeats 4``: planted secrets that stood so often in the training data.
      count: Secrets in the group.
      y: Mean at each effort.
      low: Lower ends of 95 % intervals.
      high: Upper ends.
    """

    name: str
    count: int
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Trend:
    """How an attack's success grows with its effort, for secrets that were trained on and for their twins.

    Attributes:
      name: What grows: ``recovered share``, ``exposure``.
      effort: What is spent: ``samples``, ``queries a candidate``.
      x: Efforts, ascending.
      lines: One a group, planted first, twins last.
    """

    name: str
    effort: str
    x: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Slice:
    """Results within one group of people.

    Attributes:
      column: "class", or the column that groups were made by.
      value: The group.
      members: Members in the group.
      nonmembers: Non-members in the group.
      metrics: Estimates whose intervals hold for all groups of the column at once.
    """

    column: str
    value: str
    members: int
    nonmembers: int
    metrics: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """What a search had after so many queries.

    Attributes:
      queries: Queries for each class at most.
      metrics: Some of the finding's metrics at that time; the last mark's are those of the finding.
    """

    queries: int
    metrics: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One guessing game: the attack, its baseline and its control.

    Attributes:
      id: ``family/technique``, with ``:per-class`` where thresholds differ by class.
      family: One of `FAMILIES`.
      outcome: What it says.
      access: What the attacker could ask for.
      queries: Rows that the attack asked the target about.
      metrics: The attack, on the people at risk.
      baseline: The best attacker without the target.
      control: The same attack on people the model never saw.
      refused: Metrics that the sample cannot resolve, with what would do.
      p_value: Evidence against "no leak", this attack alone.
      adjusted_p_value: The same after paying for all attacks of the audit (Holm).
      explanation: One sentence for a lay reader.
      reason: Why the outcome is not a measurement (inconclusive, not applicable, skipped, error).
      slices: The same within groups.
      curve: ROC curve and histograms.
      references: Where the technique was published.
      subject: What was guessed, where an audit asks the same about several things: the hidden attribute.
      verdict: What kind of leakage it is, in the words of the family: ``record-level``, ``population-level``, ``nothing
        beyond imputation`` and the like; empty where nothing can be said.
      progress: What a search had after so many queries, the fewest first; empty where nothing was searched for.
      trends: How the success of an attack on secrets grows with its effort; empty for others.
    """

    id: str
    family: str
    outcome: Outcome
    access: str = ""
    queries: int = 0
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    baseline: Mapping[str, Estimate] = field(default_factory=dict)
    control: Mapping[str, Estimate] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    p_value: float | None = None
    adjusted_p_value: float | None = None
    explanation: str = ""
    reason: str = ""
    slices: tuple[Slice, ...] = ()
    curve: Curve | None = None
    references: tuple[str, ...] = ()
    subject: str = ""
    verdict: str = ""
    progress: tuple[Mark, ...] = ()
    trends: tuple[Trend, ...] = ()


@dataclass(frozen=True)
class Check:
    """One test of the instrument itself.

    Attributes:
      name: ``positive_control``, ``negative_control``, ``blind_baseline``, ``overlap`` or ``power``; of a private
        mechanism, what was tested.
      passed: Whether it behaved as it must; None where it could not be done.
      explanation: One sentence on what was seen.
      metrics: Its numbers.
      counts: Its counts.
    """

    name: str
    passed: bool | None
    explanation: str
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    counts: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """What became of one attack.

    Attributes:
      id: The attack.
      status: ``executed``, ``not_applicable``, ``skipped`` or ``failed``.
      reason: Why it was not executed.
    """

    id: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Coverage:
    """What became of one family of attacks.

    Attributes:
      family: One of `FAMILIES`.
      status: ``executed`` if any attack was, else ``not_applicable``, ``skipped``, ``failed`` or
        ``not_implemented``.
      reason: Why none was executed.
      attacks: Each attack of the family.
    """

    family: str
    status: str
    reason: str = ""
    attacks: tuple[Played, ...] = ()


@dataclass(frozen=True)
class HiddenAttribute:
    """What attackers without the model guess of a hidden attribute of the members.

    Attributes:
      name: What it is called.
      columns: The columns that are hidden.
      values: Number of candidate values; of a continuous attribute, points of the grid.
      continuous: Whether it is a number.
      tolerance: A guess of a number is right if it is off by at most this much; 0 for others.
      known: Columns that the attacker knows, besides the label.
      members: Members asked about.
      nonmembers: Non-members asked about.
      imputations: Metrics of each imputation, on the members.
      best: The imputation that attacks are held against.
      column: The known column that "best single column" is made from.
      reason: Why nothing is told, or nothing.
    """

    name: str
    columns: tuple[str, ...] = ()
    values: int = 0
    continuous: bool = False
    tolerance: float = 0.0
    known: tuple[str, ...] = ()
    members: int = 0
    nonmembers: int = 0
    imputations: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    best: str = ""
    column: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Trait:
    """What the most exposed members have in common.

    Attributes:
      name: ``rare_class``, ``label_doubted`` or ``isolated``.
      share: Share of the most exposed members of whom it holds; None where it holds of fewer than ten, but not of none.
      usual: Share of all members of whom it holds, likewise.
    """

    name: str
    share: float | None = None
    usual: float | None = None


@dataclass(frozen=True)
class ExposedGroup:
    """Risk of single members within one group.

    Attributes:
      column: "class", or the column that groups were made by.
      value: The group.
      members: Members in the group.
      median: Risk that half of them are at or above.
      upper: Risk that a tenth of them are at or above; None where these are fewer than ten.
    """

    column: str
    value: str
    members: int
    median: float
    upper: float | None = None


@dataclass(frozen=True)
class Exposure:
    """How exposed single members are, as far as aggregates tell; who they are stands in the run's closed folder.

    The risk of a record is the probability that a model trained on it is surer of its label than one that was not:
    0.5 is guessing, 1 is certainty.

    Attributes:
      shadows: Shadow models that it was learned from.
      members: Members of whom it speaks.
      quantiles: Risk that a share of the members is at or below, by share; shares that leave fewer than ten above
        are not told.
      edges: Edges of the histogram's bins, on the scale of the risk.
      shares: Share of the members in each bin; bins of fewer than ten are counted with the next one.
      certain: Share of the members at a risk of at least 0.9; None where these are fewer than ten, but not none.
      most_exposed: How many members, those with the highest risk, ``traits`` speaks of.
      traits: What they have in common.
      groups: Risk within classes and chosen groups.
      explanation: One sentence for a lay reader.
      reason: Why nothing is told, or nothing.
    """

    shadows: int
    members: int
    quantiles: Mapping[str, float] = field(default_factory=dict)
    edges: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    certain: float | None = None
    most_exposed: int = 0
    traits: tuple[Trait, ...] = ()
    groups: tuple[ExposedGroup, ...] = ()
    explanation: str = ""
    reason: str = ""
