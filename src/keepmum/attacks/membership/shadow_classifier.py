"""Membership inference by a classifier of answers, learned from shadow models of the attacker's own records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.data import Records
from keepmum.errors import NotApplicableError, TargetError
from keepmum.shadows import Shadows, Signal
from keepmum.synthetic import GaussianCopula, Generator
from keepmum.targets._base import ScoreTarget, Target

TOP = 5
"""Probabilities of an answer that the classifier sees, the largest ones."""
CLASSES = 10
"""Classes that have a classifier of their own, at most."""
ENOUGH = 500
"""Examples that a classifier of one class needs; the others share one."""
COPULA = GaussianCopula()


class Source(Enum):
    """Whose records the attacker trains shadow models on."""

    OWN = "own"
    """The population; where there is none, made-up records."""
    SYNTHETIC = "synthetic"
    """Made-up records, also where there is a population: they are made after it."""


@dataclass(frozen=True)
class ShadowClassifier(MembershipAttack[ScoreTarget]):
    """Shokri's shadow models.

    The attacker has records like those the model was trained on, but none of them: trains a few models of the same
    kind, and learns from their answers what members look like. An attacker without records makes some up. Where no
    population is given, they are made after one half of the non-members, and the other half is asked about, both ways
    round: nobody is judged by what was made after them.

    Attributes:
      models: Shadow models in all, even.
      source: Whose records they are trained on.
      generator: How records are made up: ``(records, n, rng) -> Records``.
      rows: Records to make up; as many as are audited if None, four for each of the population if there is one.
      labeled_by_target: Whether made-up records carry the label that the target gives them, not one made up.
      trees: Trees of each classifier.

    References:
      Shokri, Stronati, Song, Shmatikov. Membership Inference Attacks Against Machine Learning Models. S&P 2017,
      arXiv:1610.05820, section V.
    """

    id: ClassVar[str] = "membership/shadow-classifier"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)
    by_recipe: ClassVar[bool] = True
    uses_population: ClassVar[bool] = True

    models: int = 4
    source: Source = Source.OWN
    generator: Generator = COPULA
    rows: int | None = None
    labeled_by_target: bool = False
    trees: int = 30

    @classmethod
    def variants(cls) -> tuple[ShadowClassifier, ...]:
        """The attacker who makes records up whatever there is, with made-up labels and with those of the target."""
        return cls(source=Source.SYNTHETIC), cls(source=Source.SYNTHETIC, labeled_by_target=True)

    @property
    def name(self) -> str:
        """Id, with ``:synthetic`` or ``:synthetic-labeled`` where that was asked for."""
        asked = "" if self.source is Source.OWN else ":synthetic"
        return f"{self.id}{asked}{'-labeled' if asked and self.labeled_by_target else ''}"

    @property
    def trains(self) -> int:
        """All of them: they are trained on the attacker's own records."""
        return self.models

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if self.labeled_by_target and getattr(target, "inner", target).recorded:
            return "needs the model itself to label made-up records: recorded answers know only the recorded records"
        return super().inapplicable(target)

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Log-odds of membership by the classifier of the record's class.

        Raises:
          NotApplicableError: No models may be trained or can be, or nobody is there to learn from.
        """
        if ctx.trainer is None:
            raise NotApplicableError(f"needs to train models like the target: {ctx.without_shadows}")
        if ctx.population is None or len(ctx.population) < 2:
            raise NotApplicableError("needs records of the attacker's own: give a population, or more non-members")
        own = self._own(target, ctx.population, ctx)
        seed = int(ctx.rng.integers(2**31))
        try:
            shadows = ctx.store.collect(ctx.trainer, own, self.models, seed, signal=ANSWERS)
        except TargetError as err:
            raise NotApplicableError(f"needs to train models like the target, which failed: {err}") from err
        return tell(shadows, own.y, answers(target, records), records.y, self._classifier(ctx.rng))

    def _crossed(self, target: ScoreTarget, records: Records, is_member: NDArray[np.bool_], ctx: Context) -> Scores:
        half = max(2, 2 * (self.models // 4))
        made_up = replace(self, source=Source.SYNTHETIC, rows=self.rows or len(records), models=half)
        left = None if ctx.queries_left is None else ctx.queries_left // 2
        return MembershipAttack._crossed(made_up, target, records, is_member, replace(ctx, queries_left=left))

    def _own(self, target: ScoreTarget, population: Records, ctx: Context) -> Records:
        if self.source is Source.OWN:
            return population
        rows = self.rows or 4 * len(population)
        if self.labeled_by_target and ctx.queries_left is not None and rows > ctx.queries_left:
            raise NotApplicableError(f"needs {rows:,} queries to label made-up records; {ctx.queries_left:,} are left")
        made = self.generator(population, rows, ctx.rng)
        return Records(made.X, target.classes[target.predict(made)]) if self.labeled_by_target else made

    def _classifier(self, rng: np.random.Generator) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        boosting = HistGradientBoostingClassifier(max_iter=self.trees, max_leaf_nodes=8, min_samples_leaf=20)
        return boosting.set_params(early_stopping=False, random_state=int(rng.integers(2**31)))


def answers(target: ScoreTarget, records: Records) -> NDArray[np.float64]:
    """What the classifier sees of each answer, ``(n, 1 + TOP)``.

    The log-odds of the true label, and the largest probabilities in falling order, 0 where there are fewer.
    """
    given = target.predict_proba(records)
    met = np.flatnonzero(target.knows(records.y))
    seen = np.zeros((len(records), 1 + TOP))
    seen[:, 0] = np.log(1e-300)
    label, rest = target.positions(records.y[met]), given[met]
    true = rest[np.arange(len(met)), label]
    rest[np.arange(len(met)), label] = 0.0
    seen[met, 0] = np.log(np.maximum(true, 1e-300)) - np.log(np.maximum(rest.sum(axis=1), 1e-300))
    top = min(TOP, given.shape[1])
    seen[:, 1 : 1 + top] = -np.sort(-given, axis=1)[:, :top]
    return seen


ANSWERS = Signal(f"log-odds of the label, {TOP} largest probabilities", answers)


def tell(
    shadows: Shadows, labels: NDArray[Any], asked: NDArray[np.float64], of: NDArray[Any], classifier: Any
) -> Scores:
    """Learn from shadow models whose members are known, one classifier for each large class, and judge.

    Args:
      shadows: Answers of the shadow models, ``(K, n, 1 + TOP)``, and whom each was trained on.
      labels: ``(n,)`` labels of the records that they were asked about.
      asked: ``(m, 1 + TOP)`` answers of the target.
      of: ``(m,)`` labels of the records that it was asked about.
      classifier: What learns; it is copied.
    """
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    known, known_of = labels.astype(str), of.astype(str)
    examples, truth = np.stack([np.asarray(row) for row in shadows.signals]), shadows.trained_on
    names, sizes = np.unique(known, return_counts=True)
    order = np.argsort(-sizes, kind="stable")[:CLASSES]
    large = names[order][sizes[order] * len(examples) >= ENOUGH]
    groups = [(known == name, known_of == name) for name in large]
    groups.append((~np.isin(known, large), ~np.isin(known_of, large)))
    scores = np.zeros(len(of))
    with threadpool_limits(1):
        for learned, judged in groups:
            if not judged.any():
                continue
            if not learned.any():  # a class that the attacker has nobody of is judged by all the others
                learned = np.ones(len(known), dtype=bool)
            X, is_member = examples[:, learned].reshape(-1, examples.shape[2]), truth[:, learned].ravel()
            scores[judged] = clone(classifier).fit(X, is_member).decision_function(asked[judged])
    return scores
