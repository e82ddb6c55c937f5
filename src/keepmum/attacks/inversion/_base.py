"""The inversion game: what do the people it was trained on look like?"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context
from keepmum.data import Split
from keepmum.findings import (
    CLASS_LEVEL,
    IDENTITY_LEVEL,
    NOTHING_BEYOND_PRIOR,
    RECORD_LEVEL,
    Finding,
    Mark,
    Outcome,
)
from keepmum.stats import Estimate
from keepmum.stats.means import median as median
from keepmum.targets._base import Target
from keepmum.targets.averaged import repeats_of

T = TypeVar("T", bound=Target)
Floats = NDArray[np.float64]

LEVEL = 0.05
NOTHING, CLASS, PERSON, RECORD = NOTHING_BEYOND_PRIOR, CLASS_LEVEL, IDENTITY_LEVEL, RECORD_LEVEL
"""Verdicts: no better than without the model; the class as anyone in it; the person that a class is; people who were
trained on."""


@dataclass(frozen=True)
class Resemblance:
    """How much what was reconstructed is like people, measured three times.

    Attributes:
      explanation: One sentence for a lay reader.
      p_value: Evidence that it is like people of the training data in particular.
      verdict: `NOTHING`, `CLASS` or `RECORD`.
      metrics: Against people at risk.
      baseline: The best guess without the model.
      control: Against people whom the model never saw.
      progress: What it was like after so many queries, the fewest first.
    """

    explanation: str
    p_value: float
    verdict: str
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    baseline: Mapping[str, Estimate] = field(default_factory=dict)
    control: Mapping[str, Estimate] = field(default_factory=dict)
    progress: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class InversionAttack(Attack[T]):
    """What do the trained inputs look like? Subclasses reconstruct; a leak is what tells of trained people alone."""

    labels_of_others: ClassVar[bool] = False

    @property
    def access(self) -> str:
        """What the attacker looks at where it is no answer, else the access that findings name."""
        return str(getattr(self, "sees", self.needs.access))

    @abstractmethod
    def reconstruct(self, target: T, data: Split, ctx: Context) -> Resemblance:
        """Reconstruct, and hold the result against members, public guesses and people the model never saw.

        Raises:
          NotApplicableError: The model or the records are not of the kind that the technique is for.
        """

    @final
    def run(self, target: T, data: Split, ctx: Context) -> Finding:
        """Reconstruct, and tell what came of it."""
        before = target.queries
        seen = self.reconstruct(target, data, ctx)
        return Finding(
            id=self.name,
            family=self.family,
            outcome=Outcome.LEAK if seen.verdict in (PERSON, RECORD) else Outcome.NO_LEAK_FOUND,
            access=self.access,
            queries=(target.queries - before) * repeats_of(target),
            metrics=seen.metrics,
            baseline=seen.baseline,
            control=seen.control,
            p_value=seen.p_value,
            explanation=seen.explanation,
            references=self.references,
            verdict=seen.verdict,
            progress=seen.progress,
        )


def mean(values: Floats, low: float = -math.inf, high: float = math.inf) -> Estimate:
    """Mean with Student's interval, kept between two bounds; a single value is bounded by these alone."""
    from scipy.special import stdtrit

    value, n = float(values.mean()), len(values)
    half = math.inf if n < 2 else float(stdtrit(n - 1, 0.975) * values.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, max(low, value - half), min(high, value + half))


def sign_p_value(first: Floats, second: Floats) -> float:
    """One-sided exact sign test that the first of two paired values is smaller; ties are left out.

    References:
      Dixon, Mood. The Statistical Sign Test. JASA 41 (1946), 557–566.
    """
    from scipy.special import bdtrc

    won, lost = int((first < second).sum()), int((first > second).sum())
    return 1.0 if not won else float(bdtrc(won - 1, won + lost, 0.5))
