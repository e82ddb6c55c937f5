"""The game of the hidden attribute: everything about it but the technique."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context
from keepmum.attacks.attribute._game import FEWEST, Game, set_up
from keepmum.attacks.attribute._hidden import Hidden
from keepmum.attacks.attribute._measure import judge
from keepmum.attacks.attribute._question import DRAWS, Guesses, Question
from keepmum.choices import Effort
from keepmum.data import Split
from keepmum.errors import NotApplicableError, TargetError
from keepmum.findings import Finding
from keepmum.targets._base import RegressionTarget, Target
from keepmum.targets.averaged import repeats_of

T = TypeVar("T", bound=Target)
NOT_NAMED = "no hidden attribute was named: audit with hidden=['COLUMN'], or --hidden COLUMN"


@dataclass(frozen=True)
class AttributeAttack(Attack[T]):
    """What is the hidden attribute of this person? Subclasses give each candidate value a share of their belief.

    Members and non-members reach `guess` mixed in random order, with the hidden columns blanked.

    Attributes:
      hidden: What is hidden; an audit fills it in.
      rows: Most candidate records that the model is asked about in all; an audit takes the default for its effort's
        number.
      values: Whether models that predict numbers can be attacked, too.
      trained_people: Whether it looks for what the model remembers of the people it was trained on; otherwise it
        reads the attribute off an answer, of whomever.
    """

    values: ClassVar[bool] = False
    trained_people: ClassVar[bool] = True

    hidden: Hidden | None = None
    rows: int = Effort.STANDARD.candidates

    @abstractmethod
    def guess(self, target: T, question: Question, ctx: Context) -> Guesses:
        """Belief in each candidate value, shape ``(n, V)``, at least 0; each person's is scaled to sum to 1."""

    @property
    def name(self) -> str:
        """Id, with the hidden attribute behind a colon."""
        return self.id if self.hidden is None else f"{self.id}:{self.hidden.name}"

    @property
    def purse(self) -> str:
        """Attacks on one attribute ask about the same candidate records, and pay for them once."""
        return self.id if self.hidden is None else f"attribute:{self.hidden.name}"

    @property
    def per_record(self) -> int:
        """Candidate records for each person."""
        if self.hidden is None:
            return 0
        return len(self.hidden) * (DRAWS if self.hidden.unknown else 1)

    @property
    def access(self) -> str:
        """The access that findings name."""
        return f"{self.needs.access} or values" if self.values else self.needs.access

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if self.hidden is None:
            return NOT_NAMED
        if getattr(target, "inner", target).recorded:
            return "needs the model itself: recorded answers know only the recorded records"
        if self.values and isinstance(target, RegressionTarget):
            return None
        return super().inapplicable(target)

    def about(self, hidden: Hidden) -> AttributeAttack[T]:
        """The same attack on this attribute."""
        return replace(self, hidden=hidden)

    def paced(self, effort: Effort) -> AttributeAttack[T]:
        """The same attack with as many candidates as an audit of this effort grants, unless it has its own number."""
        return replace(self, rows=effort.candidates) if self.rows == Effort.STANDARD.candidates else self

    @final
    def run(self, target: T, data: Split, ctx: Context) -> Finding:
        """Let the attack guess about everybody, then measure: attack, imputation, people it never saw."""
        game, before = self.game(data, ctx), target.queries
        guesses = game.gather(lambda question: self._belief(target, question, ctx))
        return judge(self, game, guesses, ctx, (target.queries - before) * repeats_of(target))

    @final
    def game(self, data: Split, ctx: Context) -> Game:
        """The game about the hidden attribute, shared by all attacks on it."""
        if self.hidden is None:
            raise NotApplicableError(NOT_NAMED)
        if self.hidden.name not in ctx.games:
            ctx.games[self.hidden.name] = set_up(self.hidden, data, ctx.seed, self._most(ctx.queries_left))
        game: Game = ctx.games[self.hidden.name]
        return game

    def _most(self, left: int | None) -> int:
        """People that can be asked about.

        Raises:
          NotApplicableError: They would be too few.
        """
        people = self.affordable(left)
        if people < 4 * FEWEST:
            raise NotApplicableError(
                f"needs {self.per_record} queries a record for at least {4 * FEWEST} records; "
                f"{people * self.per_record:,} may be spent"
            )
        return people

    def affordable(self, left: int | None) -> int:
        """People that can be asked about with so many rows left, half of which are kept for attackers who practice."""
        return (self.rows if left is None else min(self.rows, left // 2)) // max(1, self.per_record)

    def own_people(self, question: Question, ctx: Context) -> NDArray[np.intp]:
        """Places of the attacker's own people to practice on, no more than the half of the budget that is kept for it.

        There is one question about everybody or two about halves, so that half of what is affordable is always there.
        """
        return question.practice(max(len(question), self.affordable(ctx.queries_left) // 2), ctx.seed)

    def _belief(self, target: T, question: Question, ctx: Context) -> Guesses:
        belief = np.asarray(self.guess(target, question, ctx), dtype=np.float64)
        shape = (len(question), len(question.hidden))
        if belief.shape != shape or not np.isfinite(belief).all() or (belief < 0).any():
            raise TargetError(f"expected finite beliefs of at least 0, of shape {shape}, from {self.name}")
        sums = belief.sum(axis=1, keepdims=True)
        return np.where(sums > 0, belief / np.where(sums > 0, sums, 1.0), question.prior)
