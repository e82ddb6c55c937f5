"""Attribute inference from the leaves of a decision tree and how many training people reached each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.attacks.structural._base import estimators, model_of
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.targets._base import LabelTarget, RegressionTarget, Target
from keepmum.targets.sklearn import answer_of

Floats = NDArray[np.float64]

BLOCK = 20_000
"""Candidate records that are sent down the trees at once."""
NONE = (
    "needs a scikit-learn decision tree or forest whose leaves hold people with their labels; this model has none "
    "(boosted trees hold corrections)"
)


@dataclass(frozen=True)
class LeafCounts(AttributeAttack[Target]):
    """White-box with counts.

    Each candidate value leads a person down to some leaf of the tree, and the leaf says how many training people with
    which labels arrived there. The right value leads a trained person to a leaf that holds them: one with their label.

    Each value gets its share among the attacker's own people, times the leaf's share of the training people, times the
    probability of the true label in the leaf; scaled to sum to 1 over the values, which is the paper's normalization.
    Where a regression tree's leaf gives a number, its probability is that of a Gaussian with the leaf's mean and
    variance. In a forest each tree has its own belief, and the mean counts. The paper's leaves are told apart by the
    label they predict; here the whole distribution of labels in the leaf counts, which is the same in a pure leaf.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, doi:10.1145/2810103.2813677, section 4, "white-box with counts".
    """

    id: ClassVar[str] = "attribute/leaf-counts"
    needs: ClassVar[type[Target]] = Target
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/2810103.2813677",)
    values: ClassVar[bool] = True
    sees: ClassVar[str] = "model file"

    @property
    def access(self) -> str:
        """What the attack looks at: nothing is asked."""
        return self.sees

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        reason = super().inapplicable(target)
        if reason is None and target.internals is None:
            return f"needs the {self.sees}; only the model's answers are at hand"
        return reason

    def guess(self, target: Target, question: Question, ctx: Context) -> Guesses:
        """The mean over trees of ``prior(v) · n_leaf / N · P(label | leaf)``, scaled to sum to 1 over the values.

        Raises:
          NotApplicableError: A model without trees of this kind.
        """
        model, label = model_of(target), _label(target, question)
        values, draws = len(question.hidden), question.draws
        belief, start = np.empty((len(question), values)), 0
        for block in question.blocks(BLOCK):
            count = len(block) // (values * draws)
            mine = np.repeat(label[start : start + count], values * draws)
            found = np.zeros((count, values))
            trees = _leaves(target, model, block)
            for tree, leaf in trees:
                told = _told(tree, leaf, mine).reshape(count, values, draws).mean(axis=2)
                found += _normalized(told * question.prior, question.prior)
            belief[start : start + count] = found / len(trees)
            start += count
        return belief


def _label(target: Target, question: Question) -> NDArray[Any]:
    """Positions of the people's labels; numbers for a regression, as its trees were taught them."""
    if isinstance(target, LabelTarget):
        return target.positions(question.people.y)
    assert isinstance(target, RegressionTarget)
    numbers = target.values(question.people.y)
    for part, _ in estimators(model_of(target), question.people.take(np.arange(1)).X):
        if hasattr(part, "regressor_") and hasattr(part, "transformer_"):
            return np.asarray(part.transformer_.transform(numbers[:, None]), dtype=np.float64).ravel()
    return numbers


def _leaves(target: Target, model: Any, records: Records) -> list[tuple[Any, NDArray[np.intp]]]:
    """Each tree of the first forest inside a model, or each single tree, with the leaf that each record reaches."""
    from sklearn.ensemble._forest import BaseForest
    from sklearn.tree import BaseDecisionTree

    single: list[tuple[Any, NDArray[np.intp]]] = []
    with warnings.catch_warnings():  # a tree of an ensemble never learned the names of the columns
        warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
        for part, X in answer_of(lambda values: list(estimators(model, values)), records):
            fits = isinstance(part, (BaseForest, BaseDecisionTree)) and _of_labels(part, target)
            if not fits or part.n_features_in_ != X.shape[1]:
                continue
            reached = answer_of(part.apply, Records(X, records.y))
            if isinstance(part, BaseForest):
                return [(tree, reached[:, place]) for place, tree in enumerate(part.estimators_)]
            single.append((part, reached))
    if not single:
        raise NotApplicableError(NONE)
    return single


def _of_labels(part: Any, target: Target) -> bool:
    """Whether leaves hold the target's labels, by name or, inside of ensembles, by position."""
    if isinstance(target, LabelTarget):
        classes = getattr(part, "classes_", np.empty(0)).tolist()
        return classes in (target.classes.tolist(), list(range(len(target.classes))))
    return not hasattr(part, "classes_")


def _told(tree: Any, leaf: NDArray[np.intp], label: NDArray[Any]) -> Floats:
    """``n_leaf / N · P(label | leaf)`` of each record; of a regression with the density."""
    inner = tree.tree_
    share = inner.n_node_samples[leaf] / inner.n_node_samples[0]
    if hasattr(tree, "classes_"):
        here = inner.value[leaf, 0]
        return np.asarray(share * here[np.arange(len(leaf)), label] / here.sum(axis=1))
    variance = _variance(tree)
    # A leaf of one person varies by nothing. Labels that are closer than the standard error of the mean of everybody's
    # count as the same: N people tell no smaller difference apart.
    least = max(float(variance[0]) / int(inner.n_node_samples[0]), np.finfo(np.float64).tiny)
    spread = np.maximum(variance, least)[leaf]
    away = (label - inner.value[leaf, 0, 0]) ** 2 / spread
    return np.asarray(share * np.exp(-away / 2) / np.sqrt(2 * np.pi * spread))


def _variance(tree: Any) -> Floats:
    """Variance of the labels in each node, as the impurity tells it."""
    impurity, mean = tree.tree_.impurity, tree.tree_.value[:, 0, 0]
    if tree.criterion == "absolute_error":  # the mean distance from the median is sqrt(2 / pi) deviations of a Gaussian
        return np.asarray(np.pi / 2 * impurity**2)
    if tree.criterion == "poisson":  # half the deviance is half the variance over the mean, to second order
        return np.asarray(2 * impurity * mean)
    return np.asarray(impurity)


def _normalized(weights: Floats, prior: Floats) -> Floats:
    """Rows that sum to 1; the prior where no candidate's leaf holds the label."""
    sums = weights.sum(axis=1, keepdims=True)
    return np.where(sums > 0, weights / np.where(sums > 0, sums, 1.0), prior)
