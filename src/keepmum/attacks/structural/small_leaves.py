"""Leaves of trees that hold few people."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.structural._base import Examination, StructuralAttack, estimators, everyone, model_of
from keepmum.data import Split
from keepmum.errors import NotApplicableError
from keepmum.stats import Estimate
from keepmum.stats.intervals import normal_quantile
from keepmum.stats.null import sequential_p_value
from keepmum.targets._base import Target

TREES = 10
PEOPLE = 20_000


@dataclass(frozen=True)
class SmallLeaves(StructuralAttack):
    """Small-leaves check.

    A leaf tells how many training people reached it. A leaf of one is a description of one person: whoever has the
    file and knows a few columns reads off the rest. The members give themselves away if the leaves' own counts fit
    them better than they fit people the model never saw; a permutation test of that is the evidence.

    Attributes:
      fewest: A leaf is small if fewer training people than this reached it. Output checkers ask for 5
        (SACRO-ML, `min_samples_leaf`).

    References:
      Jefferson et al. GRAIMATTER (2022), recommendations on disclosure from machine learning models;
      Fredrikson, Jha, Ristenpart. CCS 2015, section 4.
    """

    id: ClassVar[str] = "structural/small-leaves"
    references: ClassVar[tuple[str, ...]] = ("doi:10.5281/zenodo.7089491", "doi:10.1145/2810103.2813677")

    fewest: int = 5

    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Send everyone down the trees and compare who arrives with how many the leaves say there were."""
        people, size = everyone(data, PEOPLE, ctx.rng)
        trees = _trees(model_of(target), people.X)[:TREES]
        if not trees:
            raise NotApplicableError("the model has no trees whose leaves can be read")
        leaves = [
            _compact(tree.apply(X, check_input=False), np.asarray(tree.tree_.n_node_samples), self.fewest)
            for tree, X in trees
        ]
        smallest = min(int(tree.tree_.n_node_samples[tree.tree_.children_left < 0].min()) for tree, _ in trees)
        share = np.mean([arrived >= 0 for arrived, _ in leaves], axis=0)
        is_member = np.arange(2 * size) < size
        observed = _fit(leaves, is_member)
        inside, outside = _mean(share[:size]), _mean(share[size:])
        return Examination(
            explanation=(
                f"In an average tree {inside.value:.0%} of the members sit in a leaf with fewer than {self.fewest} "
                f"training people (people it never saw: {outside.value:.0%}); the smallest leaf holds {smallest}."
            ),
            p_value=sequential_p_value(observed, lambda: _fit(leaves, ctx.rng.permutation(is_member))),
            metrics={
                "share_in_small_leaves": inside,
                "smallest_leaf": Estimate(smallest, smallest, smallest),
            },
            control={"share_in_small_leaves": outside},
        )


def _trees(model: Any, X: Any) -> list[tuple[Any, Any]]:
    """Each fitted scikit-learn tree inside a model, with the records as 32-bit floats, as trees read them."""
    for estimator, values in estimators(model, X):
        inner = estimator.estimators_ if hasattr(estimator, "estimators_") else [estimator]
        flat = inner.ravel() if isinstance(inner, np.ndarray) else inner
        trees = [tree for tree in flat if hasattr(tree, "tree_") and hasattr(tree, "apply")]
        subsets = getattr(estimator, "estimators_features_", None)
        if trees and subsets is not None and hasattr(values, "shape"):
            array = values.tocsr() if hasattr(values, "tocsr") else np.asarray(values)
            return [(tree, _ready(tree, array[:, columns])) for tree, columns in zip(trees, subsets, strict=True)]
        if trees:
            ready = _ready(trees[0], values)
            return [(tree, ready) for tree in trees]
    return []


def _ready(tree: Any, X: Any) -> Any:
    """Records as trees read them; a tree of a forest never learned the names of the columns, and would warn of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
        return tree._validate_X_predict(X, check_input=True)


def _compact(arrived: NDArray[Any], counts: NDArray[Any], fewest: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Place of each person among the small leaves (-1: in a large one), and the training count of each small leaf."""
    small = np.flatnonzero(counts[arrived] < fewest)
    nodes, place = np.unique(arrived[small], return_inverse=True)
    index = np.full(len(arrived), -1, dtype=np.intp)
    index[small] = place
    return index, counts[nodes]


def _fit(leaves: list[tuple[NDArray[np.intp], NDArray[Any]]], group: NDArray[np.bool_]) -> float:
    """Small leaves that the group fills to their training count, minus those that the others fill."""
    total = 0
    for place, counts in leaves:
        for sign, chosen in ((1, group), (-1, ~group)):
            here = place[chosen & (place >= 0)]
            total += sign * int((np.bincount(here, minlength=len(counts)) >= counts).sum())
    return float(total)


def _mean(shares: NDArray[np.float64]) -> Estimate:
    """Mean over people with a normal interval, kept within 0 … 1."""
    mean = float(shares.mean())
    half = normal_quantile(0.975) * float(shares.std(ddof=1) if len(shares) > 1 else 0.5) / np.sqrt(len(shares))
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half))
