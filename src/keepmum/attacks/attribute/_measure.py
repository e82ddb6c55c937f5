"""From guesses of a hidden attribute to a finding: attack, imputation, people the model never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._game import FEWEST, Game
from keepmum.attacks.attribute._question import Guesses
from keepmum.attacks.membership._measure import MOST_GROUPS, folded
from keepmum.errors import NotResolvableError
from keepmum.findings import (
    NOTHING_BEYOND_IMPUTATION,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Finding,
    HiddenAttribute,
    Outcome,
    Slice,
)
from keepmum.stats import Estimate
from keepmum.stats.guesses import balanced_hit_rate, hit_rate, mcc, ppv_at_k, r_squared, tpr_at_fpr_guesses
from keepmum.stats.intervals import difference
from keepmum.stats.null import rank_sum_p_value
from keepmum.stats.paired import paired_auc_difference, paired_error_p_value, paired_hit_difference
from keepmum.stats.value_area import auc_difference, value_auc

if TYPE_CHECKING:
    from keepmum.attacks.attribute._base import AttributeAttack

LEVEL = 0.05
TOP = 100
"""People of whom an attacker is surest: a tenth of all, up to this many."""


@dataclass(frozen=True, eq=False)
class Side:
    """Guesses about some people, and what is true of them."""

    game: Game
    guesses: Guesses
    who: NDArray[np.bool_]

    @property
    def scores(self) -> Guesses:
        """``(n, V)`` beliefs about these people."""
        return self.guesses[self.who]

    @property
    def truth(self) -> NDArray[np.intp]:
        """``(n,)`` positions of their values."""
        return self.game.truth[self.who]

    @property
    def errors(self) -> NDArray[np.float64]:
        """``(n,)`` distances of the guessed numbers from the true ones, in standard deviations."""
        return self.game.errors(self.guesses)[self.who]

    @property
    def hits(self) -> NDArray[np.bool_]:
        """``(n,)`` whether the guess is right."""
        return self.game.hits(self.guesses)[self.who]

    def metrics(self) -> dict[str, Estimate]:
        """Everything that is told about one side."""
        if self.game.hidden.continuous:
            guess = self.game.guessed(self.guesses)[self.who]
            return {"within_tolerance": hit_rate(self.hits), "r_squared": r_squared(guess, self.game.numbers[self.who])}
        guess = self.scores.argmax(axis=1)
        surest = self.scores.max(axis=1)
        return {
            "attribute_auc": value_auc(self.scores, self.truth),
            "hit_rate": hit_rate(self.hits),
            "balanced_hit_rate": balanced_hit_rate(guess, self.truth),
            "mcc": mcc(guess, self.truth),
            "hit_rate_of_surest": ppv_at_k(surest, self.hits, max(1, min(TOP, len(surest) // 10))),
        }

    def found(self) -> dict[str, Estimate]:
        """Share of those with the rarest value that are found at 1 % false alarms, where the sample can tell."""
        if self.game.hidden.continuous:
            return {}
        return {"attribute_tpr_at_fpr_0.01": tpr_at_fpr_guesses(self.scores, self.truth, 0.01)}


def judge(attack: AttributeAttack[Any], game: Game, guesses: Guesses, ctx: Context, queries: int) -> Finding:
    """Measure the guesses of one attack."""
    members, others = (Side(game, guesses, game.is_member == side) for side in (True, False))
    imputed = Side(game, game.imputations[game.best], game.is_member)
    sides = [side.metrics() for side in (members, imputed, others)]
    refused = {}
    for told, side in zip(sides, (members, imputed, others), strict=True):
        try:
            told.update(side.found())
        except NotResolvableError as err:
            refused["attribute_tpr_at_fpr_0.01"] = str(err)
    beyond, p_beyond = over_imputation(members, imputed)
    extra, p_extra = over_nonmembers(members, others)
    p_value = max(p_beyond, p_extra) if attack.trained_people else None
    leaks = p_value is not None and p_value <= LEVEL
    return Finding(
        id=attack.name,
        family=attack.family,
        outcome=Outcome.LEAK if leaks else Outcome.NO_LEAK_FOUND,
        access=attack.access,
        queries=queries,
        metrics={**sides[0], "advantage_over_imputation": beyond, "advantage_over_nonmembers": extra},
        baseline=sides[1],
        control=sides[2],
        refused=refused,
        p_value=p_value,
        explanation=sentence(game, members, imputed, others),
        slices=slices(game, guesses, ctx),
        references=attack.references,
        subject=game.hidden.name,
        verdict=verdict(leaks, beyond),
    )


def describe(game: Game) -> HiddenAttribute:
    """The attribute, and every imputation of it about the members."""
    hidden, question = game.hidden, game.questions[0]
    told = {name: Side(game, guesses, game.is_member) for name, guesses in game.imputations.items()}
    return HiddenAttribute(
        name=hidden.name,
        columns=hidden.columns,
        values=len(hidden),
        continuous=hidden.continuous,
        tolerance=hidden.tolerance * hidden.scale if hidden.continuous else 0.0,
        known=question.features.columns,
        members=int(game.is_member.sum()),
        nonmembers=int((~game.is_member).sum()),
        imputations={name: side.metrics() for name, side in told.items()},
        best=game.best,
        column=game.column,
    )


def verdict(leaks: bool, beyond: Estimate) -> str:
    """What kind of leakage it is."""
    if leaks:
        return RECORD_LEVEL
    return POPULATION_LEVEL if beyond.low > 0 else NOTHING_BEYOND_IMPUTATION


def over_imputation(members: Side, imputed: Side) -> tuple[Estimate, float]:
    """How much better the attack is than the best imputation, on the same people; one-sided p-value.

    Of numbers, all sizes of errors are tested; where fewer guesses are close enough, smaller errors do not count.
    """
    if members.game.hidden.continuous:
        gain, _ = paired_hit_difference(members.hits, imputed.hits)
        return gain, paired_error_p_value(members.errors, imputed.errors) if gain.value >= 0 else 1.0
    return paired_auc_difference(members.scores, imputed.scores, members.truth)


def over_nonmembers(members: Side, others: Side) -> tuple[Estimate, float]:
    """How much better the attack is on people the model was trained on than on others; one-sided p-value."""
    if members.game.hidden.continuous:
        gain = difference(hit_rate(members.hits), hit_rate(others.hits))
        return gain, rank_sum_p_value(-members.errors, -others.errors) if gain.value >= 0 else 1.0
    return auc_difference((members.scores, members.truth), (others.scores, others.truth))


def sentence(game: Game, members: Side, imputed: Side, others: Side) -> str:
    """What the numbers mean to a lay person: pairs, since of unequal values everybody guesses the common one right."""
    name, hidden = game.hidden.name, game.hidden
    right, without, control = (round(100 * float(side.hits.mean())) for side in (members, imputed, others))
    if hidden.continuous:
        return (
            f"Of 100 people whose record the model was trained on, the attack guesses {name} right (off by at most "
            f"{hidden.tolerance * hidden.scale:.3g}) for {right}; of 100 people whom the model never saw, for "
            f"{control}. Without the model, {without} of the 100 are guessed right from what is known of them anyway."
        )
    pairs, blind, never = (round(100 * value_auc(side.scores, side.truth).value) for side in (members, imputed, others))
    return (
        f"Of two people whose records the model was trained on and who differ in {name}, the attack tells which is "
        f"which in {pairs} of 100 cases; of two people whom the model never saw, in {never}; without the model, from "
        f"what is known anyway, {blind} (50 is guessing). It names the right value for {right} of 100 people "
        f"({control} never seen; {without} without the model)."
    )


def slices(game: Game, guesses: Guesses, ctx: Context) -> tuple[Slice, ...]:
    """The share guessed right within groups: of members, of non-members, and by imputation.

    Intervals hold for all groups of a column at once.
    """
    found: list[Slice] = []
    everyone = np.ones(len(game.people), dtype=bool)
    ours, theirs = (Side(game, part, everyone).hits for part in (guesses, game.imputations[game.best]))
    for column in ctx.slices:
        names, place = folded(game.people.column(column), game.is_member)
        confidence = 1 - LEVEL / len(names)
        sizes = np.bincount(place)
        for group in np.sort(np.argsort(-sizes, kind="stable")[:MOST_GROUPS]):
            inside, outside = (game.is_member & (place == group), ~game.is_member & (place == group))
            few = min(int(inside.sum()), int(outside.sum()))
            told = {} if few < FEWEST else _shares(ours, theirs, inside, outside, confidence)
            found.append(Slice(column, str(names[group]), int(inside.sum()), int(outside.sum()), told))
    return tuple(found)


def _shares(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    confidence: float,
) -> dict[str, Estimate]:
    return {
        "hit_rate": hit_rate(ours[inside], confidence),
        "imputation_hit_rate": hit_rate(theirs[inside], confidence),
        "nonmembers_hit_rate": hit_rate(ours[outside], confidence),
    }
