"""People who stand on both sides of the split.

A non-member whose record equals a member's was, to all intents, trained on. Such records are taken out of *both*
sides: taking them out of one side only would leave common records with the members and rare ones with the others,
and a model that never saw anyone would look leaky.

Records that repeat on one side are counted once: copies are not further people, and whoever finds one finds them all.
Where the sides differ in size, a record with copies is more likely to stand on the larger side alone than a record
without; such groups are thinned by just that much, so that membership stays a matter of chance.

Documents without labels need not be equal for that: those that share passages count as copies (`keepmum.text_overlap`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import encode, row_keys
from keepmum.data import Split
from keepmum.errors import DataError
from keepmum.text_overlap import sharing
from keepmum.texts import without_labels

NEAR = 1e-3
"""Records are near-duplicates if every number differs by at most this share of its standard deviation."""


@dataclass(frozen=True)
class Overlap:
    """How many records stood on both sides.

    Attributes:
      exact_members: Members that equal a non-member, label and all.
      exact_nonmembers: Non-members that equal a member.
      near_members: Members that nearly equal a non-member.
      near_nonmembers: Non-members that nearly equal a member.
      members: Members before anything was taken out.
      nonmembers: Non-members before anything was taken out.
      repeated_members: Further copies of a member among the members, taken out.
      repeated_nonmembers: Further copies of a non-member among the non-members, taken out.
    """

    exact_members: int
    exact_nonmembers: int
    near_members: int
    near_nonmembers: int
    members: int
    nonmembers: int
    repeated_members: int = 0
    repeated_nonmembers: int = 0

    @property
    def share(self) -> float:
        """Largest share taken out of a side, 0 … 1."""
        return max(
            (self.exact_members + self.near_members) / self.members,
            (self.exact_nonmembers + self.near_nonmembers) / self.nonmembers,
        )


def remove_overlap(split: Split) -> tuple[Split, Overlap]:
    """The split without records that stand on both sides, and the count of them.

    Raises:
      DataError: Nothing is left on a side, as when the same file was given twice.
    """
    members, nonmembers = split.members, split.nonmembers
    if _no_columns(split):
        return split, Overlap(0, 0, 0, 0, len(members), len(nonmembers))
    ours, theirs = row_keys(members), row_keys(nonmembers)
    twin, other_twin = np.isin(ours, theirs), np.isin(theirs, ours)
    if twin.all() and other_twin.all():
        raise DataError(
            f"members and non-members are the same records ({len(members):,} and {len(nonmembers):,}): "
            "give records that the model was not trained on as non-members"
        )
    passages = _passages(split) if without_labels(split) else None
    if passages is not None:  # documents that share passages are copies of each other
        ours, theirs = passages[2][: len(ours)], passages[2][len(ours) :]
    rng = np.random.default_rng(0)
    once = _once(ours, len(nonmembers) / len(members), rng)
    other_once = _once(theirs, len(members) / len(nonmembers), rng)
    if passages is None:
        near, other_near = _near(split, ~twin & once, ~other_twin & other_once)
    else:
        near, other_near = passages[0] & ~twin, passages[1] & ~other_twin
    keep, other_keep = ~twin & once & ~near, ~other_twin & other_once & ~other_near
    if not keep.any() or not other_keep.any():
        raise DataError(
            f"nothing is left after taking out records that stand on both sides ({int((~keep).sum()):,} of "
            f"{len(members):,} members, {int((~other_keep).sum()):,} of {len(nonmembers):,} non-members): "
            "give disjoint members and non-members"
        )
    clean = Split(members.take(keep), nonmembers.take(other_keep), split.population)
    return clean, Overlap(
        exact_members=int(twin.sum()),
        exact_nonmembers=int(other_twin.sum()),
        near_members=int(near.sum()),
        near_nonmembers=int(other_near.sum()),
        members=len(members),
        nonmembers=len(nonmembers),
        repeated_members=int((~once & ~twin & ~near).sum()),
        repeated_nonmembers=int((~other_once & ~other_twin & ~other_near).sum()),
    )


def _once(keys: NDArray[np.uint64], ratio: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One copy of each record of a side; on the larger side a group of k is kept with probability ratio^(k - 1).

    A group of k copies lands on a side of share p with probability p^k. Thinning the larger side by (q / p)^(k - 1)
    leaves odds of p : q whatever k is.
    """
    _, first, copies = np.unique(keys, return_index=True, return_counts=True)
    kept = rng.random(len(first)) < np.minimum(1.0, ratio) ** (copies - 1.0)
    mask = np.zeros(len(keys), dtype=bool)
    mask[first[kept]] = True
    return mask


def _passages(split: Split) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint64]]:
    """Documents that share passages with the other side, and keys that are equal for all that belong together."""
    mine, theirs = ([str(text) for text in side.X] for side in (split.members, split.nonmembers))
    near, other_near, group = sharing(mine, theirs)
    return near, other_near, group.astype(np.uint64)


def _no_columns(split: Split) -> bool:
    shape = getattr(split.members.X, "shape", (0, 1))
    return len(shape) > 1 and shape[1] == 0


def _near(split: Split, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    """Masks of near-duplicates among the rows that are left, found in a random projection and then checked."""
    from scipy.spatial import cKDTree

    values = _standard(split)
    m = len(split.members)
    near = np.zeros(m, dtype=bool), np.zeros(len(values) - m, dtype=bool)
    if not ours.any() or not theirs.any() or not values.shape[1]:
        return near
    rows, others = np.flatnonzero(ours), m + np.flatnonzero(theirs)
    axes = np.random.default_rng(0).normal(size=(values.shape[1], 6))
    axes /= np.linalg.norm(axes, axis=0)
    points = values @ axes
    reach = NEAR * np.sqrt(values.shape[1] * 6)
    tree = cKDTree(points[others])
    distance, found = tree.query(points[rows], k=min(4, len(others)), distance_upper_bound=reach)
    distance, found = np.reshape(distance, (len(rows), -1)), np.reshape(found, (len(rows), -1))
    for column in range(found.shape[1]):
        hit = np.flatnonzero(np.isfinite(distance[:, column]))
        pairs = rows[hit], others[found[hit, column]]
        close = np.abs(values[pairs[0]] - values[pairs[1]]).max(axis=1, initial=0.0) <= NEAR
        near[0][pairs[0][close]] = True
        near[1][pairs[1][close] - m] = True
    return near


def _standard(split: Split) -> NDArray[np.float64]:
    """The pool as numbers in units of standard deviations, label included; codes of text stay a unit apart."""
    values = encode(split.pool)
    labels = np.unique([str(v) for v in split.pool.y.tolist()], return_inverse=True)[1]
    spread = np.nanstd(values, axis=0, where=np.isfinite(values)) if len(values) else np.ones(values.shape[1])
    values = values / np.where(spread > 0, spread, 1.0)
    values = np.where(np.isfinite(values), values, -1e3)
    return np.column_stack([values, labels.astype(np.float64)])
