"""One hidden attribute among the people of an audit: who is asked about, and what all attacks on it share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.attribute._hidden import Hidden
from keepmum.attacks.attribute._imputers import MAJORITY, best_column, impute
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.stats.value_area import value_auc

FEWEST = 30
"""Fewer people than this on a side, or of the attacker's own, show nothing."""


@dataclass(eq=False)
class Game:
    """Who is asked about, in which parts, and what is true.

    Attributes:
      hidden: What is hidden.
      people: Members and non-members in random order, with their true values.
      is_member: ``(n,)`` truth about membership.
      questions: Each asks about some of the people; together about all.
      rows: For each question the places of its people.
      seed: Seed of the audit.
    """

    hidden: Hidden
    people: Records
    is_member: NDArray[np.bool_]
    questions: list[Question]
    rows: list[NDArray[np.intp]]
    seed: int

    @cached_property
    def truth(self) -> NDArray[np.intp]:
        """``(n,)`` positions of the true values."""
        return self.hidden.positions(self.people)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """``(n,)`` true numbers of a continuous attribute."""
        return self.hidden.truth(self.people)

    def gather(self, guess: Callable[[Question], Guesses]) -> Guesses:
        """Guesses about everybody, ``(n, V)``."""
        result = np.empty((len(self.people), len(self.hidden)))
        for question, rows in zip(self.questions, self.rows, strict=True):
            result[rows] = guess(question)
        return result

    @cached_property
    def imputations(self) -> Mapping[str, Guesses]:
        """What attackers without the model guess, by name."""
        column = best_column(self.questions[0])
        parts = [impute(question, column, self.seed) for question in self.questions]
        return {name: self._placed([part[name] for part in parts]) for name in parts[0]}

    def _placed(self, parts: list[Guesses]) -> Guesses:
        given = iter(parts)
        return self.gather(lambda question: next(given))

    @cached_property
    def best(self) -> str:
        """Name of the imputation that fares best on everybody: chosen on the people it is judged on, in its favor."""
        return max(self.imputations, key=lambda name: self.quality(self.imputations[name]))

    def quality(self, guesses: Guesses) -> float:
        """How good guesses about everybody are: the area under the curve, or the share within the tolerance."""
        if self.hidden.continuous:
            return float(self.hits(guesses).mean())
        return value_auc(guesses, self.truth).value

    def guessed(self, guesses: Guesses) -> NDArray[np.float64]:
        """The number guessed, which is the mean of its distribution; of other attributes the position of the value."""
        if self.hidden.continuous:
            return np.asarray(guesses @ self.hidden.numbers)
        return np.asarray(guesses.argmax(axis=1), dtype=np.float64)

    def errors(self, guesses: Guesses) -> NDArray[np.float64]:
        """``(n,)`` distances of the guessed numbers from the true ones, in standard deviations; never negative."""
        return np.asarray(np.abs(self.guessed(guesses) - self.numbers) / self.hidden.scale)

    def hits(self, guesses: Guesses) -> NDArray[np.bool_]:
        """``(n,)`` whether each guess is right."""
        if self.hidden.continuous:
            return np.asarray(self.errors(guesses) <= self.hidden.tolerance)
        return np.asarray(guesses.argmax(axis=1) == self.truth)

    @property
    def column(self) -> str:
        """Name of the known column that tells most, or an empty text."""
        place = best_column(self.questions[0])
        return "" if place is None else self.questions[0].features.columns[place]


def set_up(hidden: Hidden, data: Split, seed: int, most: int) -> Game:
    """Draw up the game.

    Where the attacker has no people of their own, half of the non-members stand in for them, both ways round: whoever
    is asked about is not among the people that the attacker learned from, and members and non-members fare alike.

    Args:
      hidden: What is hidden.
      data: Everyone; people whose value is missing are passed over.
      seed: Seed of the audit.
      most: People to ask about, at most; a random sample if there are more.

    Raises:
      NotApplicableError: Too few people.
    """
    people, is_member = data.mixed(seed)
    there = np.flatnonzero(hidden.positions(people) >= 0)
    sides = [np.flatnonzero(is_member[there] == side) for side in (True, False)]
    few = min(len(side) for side in sides)
    if few < FEWEST:
        raise NotApplicableError(
            f"hidden {hidden.name}: needs {FEWEST} people on each side whose value is known, has {few}"
        )
    if data.population is None:
        groups = _crossed(people.take(there), is_member[there], seed)
    else:
        own = data.population.take(hidden.positions(data.population) >= 0)
        groups = [(own, np.arange(len(there)))]
    groups = [(public, _some(rows, is_member[there[rows]], most // len(groups))) for public, rows in groups]
    smallest = min(len(public) for public, _ in groups)
    if smallest < FEWEST:
        raise NotApplicableError(
            f"hidden {hidden.name}: the attacker needs {FEWEST} people to learn from, has {smallest}"
        )
    kept = np.sort(np.concatenate([rows for _, rows in groups]))
    asked = people.take(there[kept])
    rows = [np.searchsorted(kept, rows) for _, rows in groups]
    questions = [_question(hidden, public, asked.take(part)) for (public, _), part in zip(groups, rows, strict=True)]
    return Game(hidden, asked, is_member[there[kept]], questions, rows, seed)


def _some(rows: NDArray[np.intp], is_member: NDArray[np.bool_], most: int) -> NDArray[np.intp]:
    """The first so many: of either side its share, but `FEWEST` of a small one if it has them."""
    if len(rows) <= most:
        return rows
    sides = rows[is_member], rows[~is_member]
    small = min(len(side) for side in sides)
    count = max(min(small, FEWEST, most // 2), int(most * small / len(rows)))
    return np.sort(np.concatenate([side[: count if len(side) == small else most - count] for side in sides]))


def _crossed(people: Records, is_member: NDArray[np.bool_], seed: int) -> list[tuple[Records, NDArray[np.intp]]]:
    """Halves of everybody, each with the non-members of the other half as the attacker's own people."""
    fold = np.empty(len(people), dtype=bool)
    rng = np.random.default_rng([seed, 0x68696464])
    for side in (is_member, ~is_member):
        fold[side] = rng.permutation(int(side.sum())) % 2 == 0
    return [(people.take(~is_member & (fold != half)), np.flatnonzero(fold == half)) for half in (True, False)]


def _question(hidden: Hidden, public: Records, complete: Records) -> Question:
    blank = hidden.donors.take(np.zeros(len(complete), dtype=np.intp))
    return Question(
        hidden=hidden,
        people=complete.replace(blank, hidden.columns),
        public=public,
        public_truth=hidden.positions(public),
        complete=complete,
    )


__all__ = ["FEWEST", "MAJORITY", "Game", "set_up"]
