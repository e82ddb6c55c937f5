"""The person that a class stands for, from the answers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.inversion._base import Floats, InversionAttack, Resemblance
from keepmum.attacks.inversion._columns import Columns, Indices, columns
from keepmum.attacks.inversion._likeness import Classmates, Guess, Likeness, classmates, crowd
from keepmum.attacks.inversion._search import Candidates, margin, middle_of_best, search
from keepmum.attacks.inversion._sides import sides
from keepmum.choices import Effort
from keepmum.data import Split
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets._base import ScoreTarget, Target

FEWEST_QUERIES = 100
STANDARD_QUERIES = 1_000
STARTS = 2


@dataclass(frozen=True)
class ClassProfile(InversionAttack[ScoreTarget]):
    """Class profile by queries.

    The attacker asks about made-up records and changes them until the model is as sure as it can be of a class: what
    does the typical holder of this diagnosis look like? Where a class is one person or a few, that is them.

    It is measured in this order. Is the profile nearer to people of the class than the public mean, and than the
    public record that the model is surest of? Is it nearer to people trained on than to as many people of the same
    class whom the model never saw? Only both together are a leak (record-level); a profile that is merely like the
    class is what the model was made to know (class-level). How sure the model is of the profile is the attacker's own
    score and no success.

    Numbers stay within what the attacker's own records show, one-hot groups stay one-hot, everything else takes values
    that occur. The attacker's records are the population; without one, half of the people the model never saw.

    Deviations from the paper: it descends gradients of ``1 - p`` in pixels. Here the log-margin, plus the log of how
    usual the record is with columns taken as independent, is climbed by the cross-entropy method, which needs answers
    alone and knows columns of every kind.

    Attributes:
      queries: Rows that are asked about for each class; an audit takes more or fewer for its effort.
      classes: Classes that are reconstructed at most, drawn at random.
      start: Columns of a partial record and their values, which are kept; a mapping will do.
      prior: Weight of how usual a record is among the attacker's own: 1 for the likeliest record of the class, 0 for
        the one that the model is surest of, however odd.

    Raises:
      ConfigError: Fewer than 100 queries, no class, or a negative prior.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, doi:10.1145/2810103.2813677, sections 4 and 5.
    """

    id: ClassVar[str] = "inversion/class-profile"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/2810103.2813677",)

    queries: int = STANDARD_QUERIES
    classes: int = 10
    start: tuple[tuple[str, Any], ...] = ()
    prior: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.start, Mapping):
            object.__setattr__(self, "start", tuple(self.start.items()))
        if self.queries < FEWEST_QUERIES or self.classes < 1:
            raise ConfigError(
                f"expected at least {FEWEST_QUERIES} queries a class and at least one class, got {self.queries} and "
                f"{self.classes}"
            )
        if not 0 <= self.prior < np.inf:
            raise ConfigError(f"expected a prior of 0 or more, got {self.prior}")

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if getattr(target, "inner", target).recorded:
            return "needs the model itself: recorded answers know only the recorded records"
        return super().inapplicable(target)

    def asks(self, target: ScoreTarget) -> int:
        """So many for each class that is reconstructed."""
        return self.queries * min(self.classes, len(target.classes))

    def paced(self, effort: Effort) -> ClassProfile:
        """The same attack with the queries that an audit of this effort grants, unless it has a number of its own."""
        granted = STANDARD_QUERIES * effort.rows // Effort.STANDARD.rows
        return replace(self, queries=granted) if self.queries == STANDARD_QUERIES else self

    def reconstruct(self, target: ScoreTarget, data: Split, ctx: Context) -> Resemblance:
        """Climb to the profile of each class, then see whom it is like."""
        public, others = sides(data, ctx, "records", 0x686C6673)
        space = columns(public, self.start)
        everyone = crowd(space, data.members.join(others))
        members, strangers = (target.positions(side.y) for side in (data.members, others))
        chosen = classmates(members, strangers, len(public), self.classes, ctx.rng)
        each = self._each(len(chosen), ctx)
        profiles, best_public, own = _profiles(target, space, chosen, each, self.prior, ctx.rng)
        likeness = Likeness.of(everyone, chosen, profiles, [everyone.record(row) for row in best_public], ctx.rng)
        trained = members if ctx.trained_on is None else target.positions(ctx.trained_on.y)
        size = int(np.median([(trained == mates.place).sum() for mates in chosen]))
        return likeness.judged(own, size)

    def _each(self, classes: int, ctx: Context) -> int:
        """Queries for each class.

        Raises:
          NotApplicableError: Too few are left.
        """
        total = self.queries * classes
        each = (total if ctx.queries_left is None else min(total, ctx.queries_left)) // classes
        if each < FEWEST_QUERIES:
            raise NotApplicableError(
                f"needs {FEWEST_QUERIES} queries for each of {classes} classes; {ctx.queries_left:,} may be spent"
            )
        return each


def _profiles(
    target: ScoreTarget, space: Columns, chosen: list[Classmates], each: int, prior: float, rng: np.random.Generator
) -> tuple[list[Guess], list[int], Floats]:
    """The profile of each class, the public record that the model is surest of, and how sure it is of the profile."""
    pool = rng.permutation(len(space.public))[: each // 4]
    known = target.predict_proba(space.public.take(pool))
    budget = (each * len(chosen) - len(pool)) // len(chosen)
    profiles, best, own = [], [], np.empty(len(chosen))
    for number, mates in enumerate(chosen):
        asked: list[Floats] = []

        def ask(numbers: Floats, kinds: Indices, place: int = mates.place, said: list[Floats] = asked) -> Floats:
            answers = target.predict_proba(space.rows(numbers, kinds))
            said.append(answers[:, place])
            return margin(answers, place) + (prior * space.usual(numbers, kinds) if prior else 0.0)

        best.append(int(pool[margin(known, mates.place).argmax()]))
        first = np.where(np.isfinite(v := space.values[best[-1], space.numbers]), v, (space.low + space.high) / 2)
        starts = (first, *[None] * (STARTS - 1))
        shares = np.diff(np.linspace(0, budget, STARTS + 1).astype(int))
        found = [search(ask, space, start, int(share), rng) for start, share in zip(starts, shares, strict=True)]
        merged = Candidates(*(np.concatenate([getattr(f, n) for f in found]) for n in ("numbers", "kinds", "scores")))
        top = middle_of_best(merged, space)
        donors = [kind.donors[merged.kinds[top, place]] for place, kind in enumerate(space.kinds)]
        numbers = np.where(space.whole, np.rint(merged.numbers[top]), merged.numbers[top])
        profiles.append(Guess(numbers, np.array(donors, dtype=np.intp)))
        own[number] = np.concatenate(asked)[top]
    return profiles, best, own
