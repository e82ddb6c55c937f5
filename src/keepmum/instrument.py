"""The audit's tests of itself: would it see a leak, is it silent where there is none, is the split fair?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum import _documents
from keepmum._encode import encode
from keepmum.attacks._base import Ledger
from keepmum.data import Records, Split
from keepmum.findings import Check
from keepmum.overlap import Overlap
from keepmum.stats import Estimate
from keepmum.stats.intervals import normal_quantile
from keepmum.stats.multiple import holm
from keepmum.stats.null import membership_p_value, rank_sum_p_value
from keepmum.stats.power import detectable_auc, resolvable_fpr
from keepmum.stats.roc import auc, auc_value
from keepmum.texts import are_documents, without_labels

ALARM = 0.01
"""Level of each test of the instrument: it may stop an audit wrongly in one of a hundred."""
SURE = 0.001
"""Level where only a broken instrument or swapped files can be meant, both of which are plain to see."""
TWIN_SIZE = 2_000
TWIN_LABELS = 10
FOLDS = 5


@dataclass(frozen=True, eq=False)
class _Blind:
    """Cross-validated scores of one learner that never sees the model."""

    estimate: Estimate
    p_value: float


def blind_baseline(split: Split, seed: int, most: int) -> Check:
    """Can members be told from non-members without the model? If so, the split is the leak.

    A gradient boosting and a logistic regression are cross-validated on the records and labels alone; of documents they
    see words and pairs of words, length, characters and dates. Each fold's
    area under the curve is compared within the fold. Under a fair split the mean over folds has up to twice the
    variance of independent folds, since every pair of folds judges each other; the interval and the test use twice.

    Args:
      split: Members and non-members.
      seed: Seed of the sample and the folds.
      most: Records used of each side.

    References:
      Das, Zhang, Tramèr. Blind baselines beat membership inference attacks. arXiv:2406.16201;
      Bengio, Grandvalet. JMLR 5 (2004), 1089–1105, on the variance of cross-validation.
    """
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng([seed, 0x626C696E])
    members, nonmembers = (_sample(side, most, rng) for side in (split.members, split.nonmembers))
    if min(len(members), len(nonmembers)) < 2 * FOLDS:
        few = min(len(members), len(nonmembers))
        return Check("blind_baseline", None, f"Not done: {few} records on one side, {2 * FOLDS} are needed.")
    pool = members.join(nonmembers)
    views, seen, columns = _views(pool, seed)
    truth = np.arange(len(pool)) < len(members)
    fold = np.empty(len(pool), dtype=np.intp)
    for side in (truth, ~truth):
        fold[side] = rng.permutation(int(side.sum())) % FOLDS
    with threadpool_limits(1):  # default threads cost more than they give on few records
        results = [_cross_validate(X, truth, fold, learner) for X, learner in views]
    best = max(results, key=lambda result: result.estimate.value)
    separates = min(1.0, len(results) * min(result.p_value for result in results)) <= ALARM
    text = f"Without the model (from {seen}) members and non-members can be told apart with AUC {best.estimate}: "
    text += "the split itself tells them apart." if separates else "no better than chance can explain."
    return Check(
        "blind_baseline", not separates, text, {"auc": best.estimate}, {"columns": columns, "records": len(pool)}
    )


def _views(pool: Records, seed: int) -> tuple[list[tuple[Any, Any]], str, int]:
    """What each learner sees of the records, and the learner; what that is in words; the columns that there are."""
    X = np.column_stack([encode(pool), _codes(pool.y)])
    columns = X.shape[1] - 1
    boosting, linear = _learners(seed)  # loads the libraries whose threads are limited
    if not are_documents(pool):
        X = X[:, np.isfinite(X).any(axis=0)]
        seen = f"{columns} columns and the label" if columns else "the label only, as no record columns were given"
        return [(X, boosting), (X, linear)], seen, columns
    from sklearn.linear_model import LogisticRegression

    texts = [str(text) for text in pool.X]
    told = np.column_stack([_documents.traits(texts), _codes(pool.y)])
    told = told[:, np.isfinite(told).any(axis=0)]
    X = np.column_stack([told, encode(pool)])
    bag = LogisticRegression(C=10.0, max_iter=300, tol=1e-3)
    seen = "words, length, characters and dates of the documents, and the label"
    return [(X, boosting), (told, linear), (_documents.words(texts), bag)], seen, columns


def _learners(seed: int) -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(C=0.1, max_iter=200, tol=1e-2)
    )
    boosting = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, random_state=seed % 2**32)
    return [boosting, linear]


def _cross_validate(X: NDArray[np.float64], truth: NDArray[np.bool_], fold: NDArray[np.intp], learner: Any) -> _Blind:
    import warnings

    areas, variances = [], []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = _known(X, train)
            scores = learner.fit(known[train], truth[train]).predict_proba(known[test])[:, 1]
        mine, theirs = scores[truth[test]], scores[~truth[test]]
        areas.append(auc_value(mine, theirs))
        variances.append((len(mine) + len(theirs) + 1) / (12 * len(mine) * len(theirs)))
    area, spread = float(np.mean(areas)), float(np.sqrt(2 * np.sum(variances))) / FOLDS
    half = normal_quantile(0.975) * spread
    from scipy.special import ndtr

    return _Blind(Estimate(area, max(0.0, area - half), min(1.0, area + half)), float(ndtr(-(area - 0.5) / spread)))


def _known(X: Any, train: NDArray[np.bool_]) -> Any:
    """The columns that hold a value in training: trees cannot be grown on those that are empty there."""
    return X[:, np.isfinite(X[train]).any(axis=0)] if isinstance(X, np.ndarray) else X


def positive_control(split: Split, seed: int) -> Check:
    """Would a leak have been seen? A twin is trained to memorize random labels of the members and attacked.

    Random labels cannot be generalized, so whatever the twin knows it has memorized. Where no record columns are
    given, the twin's answers are simulated. Of documents without labels the twin is a language model: a table of what
    followed upon what in the members, attacked by its loss.
    """
    rng = np.random.default_rng([seed, 0x7477696E])
    members, nonmembers = (_sample(side, TWIN_SIZE, rng) for side in (split.members, split.nonmembers))
    pool = members.join(nonmembers)
    X, m = np.nan_to_num(encode(pool)), len(members)
    if without_labels(split):
        scores = _documents.twin_scores([str(text) for text in pool.X], m)
    else:
        scores = _twin_scores(X, m, rng) if X.shape[1] else _simulated_scores(len(pool), m, rng)
    area, p_value = auc(scores[:m], scores[m:]), membership_p_value(scores[:m], scores[m:])
    caught = p_value <= ALARM
    kind = "trained" if X.shape[1] else "simulated"
    text = f"A twin {kind} to memorize {m:,} members was {'caught' if caught else 'NOT caught'} (AUC {area})."
    return Check("positive_control", caught, text, {"auc": area}, {"members": m, "nonmembers": len(nonmembers)})


def _twin_scores(X: NDArray[np.float64], members: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probability that a forest grown on the members gives to everybody's random label."""
    from sklearn.ensemble import ExtraTreesClassifier

    labels = rng.integers(0, TWIN_LABELS, len(X))
    twin = ExtraTreesClassifier(20, random_state=int(rng.integers(2**31))).fit(X[:members], labels[:members])
    known = np.flatnonzero(np.isin(labels, twin.classes_))
    scores = np.zeros(len(X))
    place = np.searchsorted(twin.classes_, labels[known])
    scores[known] = twin.predict_proba(X[known])[np.arange(len(known)), place]
    return scores


def _simulated_scores(people: int, members: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What a twin without record columns would have said: right on every member, guessing elsewhere."""
    return np.where(np.arange(people) < members, 1.0, rng.integers(0, TWIN_LABELS, people) == 0).astype(np.float64)


def negative_control(ledger: Mapping[str, Ledger], seed: int) -> Check:
    """Does the instrument stay silent? Every attack's scores of one half of the non-members against the other."""
    p_values, areas = [], []
    for entry in ledger.values():
        order = np.argsort(entry.ids[~entry.is_member])
        scores = entry.scores[~entry.is_member][order]
        if len(scores) < 4:
            continue
        half = np.random.default_rng([seed, 0x68616C66]).permutation(len(scores)) < len(scores) // 2
        p_values.append(membership_p_value(scores[half], scores[~half]))
        areas.append(auc(scores[half], scores[~half]))
    if not p_values:
        return Check("negative_control", None, "Not done: no attack gave scores for at least 4 non-members.")
    alarms = int((holm(np.array(p_values)) <= SURE).sum())
    widest = max(areas, key=lambda area: abs(area.value - 0.5))
    text = f"Non-members against non-members: {alarms} of {len(p_values)} attacks raised an alarm (AUC farthest from "
    text += f"one half: {widest})."
    return Check("negative_control", alarms == 0, text, {"auc": widest}, {"attacks": len(p_values), "alarms": alarms})


def direction(ledger: Mapping[str, Ledger]) -> Check:
    """Do members score *lower* than non-members? Then the two were probably swapped."""
    if not ledger:
        return Check("direction", None, "Not done: no attack gave scores.")
    forward = [rank_sum_p_value(e.scores[e.is_member], e.scores[~e.is_member]) for e in ledger.values()]
    backward = [rank_sum_p_value(e.scores[~e.is_member], e.scores[e.is_member]) for e in ledger.values()]
    backwards = float(holm(np.array(backward)).min()) <= SURE < float(holm(np.array(forward)).min())
    text = "Members score as high as non-members or higher, as they should."
    if backwards:
        text = "Non-members look more like training data than members do: were the two files swapped?"
    return Check("direction", not backwards, text)


def overlap_check(overlap: Overlap | None) -> Check:
    """How many records stood on both sides?"""
    if overlap is None:
        return Check("overlap", None, "Not done: no record columns were given, so duplicates cannot be found.")
    exact = overlap.exact_members + overlap.exact_nonmembers
    near = overlap.near_members + overlap.near_nonmembers
    text = f"{exact:,} records stood on both sides and {near:,} nearly did; they were taken out of both."
    if not exact + near:
        text = "No record stood on both sides."
    few = overlap.share <= 0.5
    if not few:
        text += " That is most of them: members cannot be told from non-members."
    repeated = overlap.repeated_members + overlap.repeated_nonmembers
    if repeated:
        text += f" {repeated:,} further copies of a record on one side were taken out as well."
    counts = {"exact": exact, "near": near, "repeated": repeated, "largest_share": round(overlap.share, 4)}
    return Check("overlap", few, text, {}, counts)


def power_check(members: int, nonmembers: int, attacks: int, fewest: int) -> Check:
    """What could these numbers of people have shown at all?"""
    smallest = detectable_auc(members, nonmembers, 0.05 / max(1, attacks))
    text = (
        f"With {members:,} members and {nonmembers:,} non-members an AUC of {smallest:.3f} or more is found in 4 of 5 "
        f"audits; false positive rates down to {resolvable_fpr(nonmembers):.2%} can be spoken of."
    )
    enough = min(members, nonmembers) >= fewest
    if not enough:
        text += f" Too few: at least {fewest} on each side are needed."
    counts = {"detectable_auc": round(smallest, 4), "resolvable_fpr": round(resolvable_fpr(nonmembers), 6)}
    return Check("power", enough, text, {}, counts)


def _sample(records: Records, most: int, rng: np.random.Generator) -> Records:
    return records if len(records) <= most else records.take(np.sort(rng.permutation(len(records))[:most]))


def _codes(labels: NDArray[Any]) -> NDArray[np.float64]:
    if labels.dtype.kind in "fiub":
        return np.asarray(labels, dtype=np.float64)
    return np.unique([str(v) for v in labels.tolist()], return_inverse=True)[1].astype(np.float64)
