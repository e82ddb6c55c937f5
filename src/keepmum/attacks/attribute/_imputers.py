"""Guessing a hidden attribute without the model: what anyone could infer from the population."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.attribute._question import Guesses, Question

LARGE = 5_000
"""Most people that an imputer learns from."""
SMALL = 10
"""The small imputers learn from one in so many of them, and from `FEWEST` at least."""
FEWEST = 50
SMOOTH = 5.0
"""People's worth of prior that is added to every cell of a table."""
BINS = 10

MAJORITY = "majority"
ONE_COLUMN = "best single column"


def impute(question: Question, column: int | None, seed: int) -> Mapping[str, Guesses]:
    """Every imputation of the values asked for, each ``(n, V)``, by name.

    Majority; a table of the column that tells most; logistic regression and histogram gradient boosting, each from few
    and from many public people, with and without the label.

    Args:
      question: Whom, and from whom to learn.
      column: Which of the known columns to make the table of.
      seed: Draws the few.
    """
    made = {MAJORITY: np.tile(question.prior, (len(question), 1))}
    if column is not None:
        made[ONE_COLUMN] = _from_column(question, column)
    order = many(question, seed)
    few = order[: max(FEWEST, len(order) // SMALL)]
    for size, rows in (("few", few), ("many", order)):
        for labeled in (False, True):
            for learner in ("logistic", "boosting"):
                name = f"{learner}, {size} people{', with the label' if labeled else ''}"
                made[name] = learned(question, learner, rows, labeled=labeled)
    return made


def many(question: Question, seed: int) -> NDArray[np.intp]:
    """Public people that a large imputer learns from, in random order."""
    return np.random.default_rng([seed, 0x696D7075]).permutation(len(question.public))[:LARGE]


def learned(question: Question, learner: str, rows: NDArray[np.intp], *, labeled: bool) -> Guesses:
    """Distribution over the values from what a learner makes of some public people; learned once."""
    what = f"{learner} {labeled} {len(rows)} {zlib.crc32(rows.tobytes())}"
    return question.remember(what, lambda: _learned(question, learner, rows, labeled=labeled))


def _learned(question: Question, learner: str, rows: NDArray[np.intp], *, labeled: bool) -> Guesses:
    table = question.features
    boosted = learner == "boosting"
    public, people = (table.public_codes, table.people_codes) if boosted else (table.public, table.people)
    kinds = table.kinds
    if labeled:
        public = np.column_stack([public, table.public_label])
        people = np.column_stack([people, table.people_label])
        kinds = np.r_[kinds, np.zeros(table.public_label.shape[1], dtype=bool)]
    truth = question.public_truth[rows]
    if len(np.unique(truth)) < 2 or not public.shape[1]:
        return np.tile(question.prior, (len(question), 1))
    model = boosting(public, kinds) if boosted else logistic()
    return fit_predict(model, public[rows], truth, people, question.prior)


def fit_predict(
    model: Any, known: NDArray[Any], truth: NDArray[np.intp], asked: NDArray[Any], prior: NDArray[np.float64]
) -> Guesses:
    """Fit, predict, and place the probabilities: values that were never seen keep a little of their prior."""
    import warnings

    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a learner that stopped early is a baseline all the same
        model.fit(known, truth)
        answers = model.predict_proba(asked)
    guesses = np.zeros((len(asked), len(prior)))
    guesses[:, model.classes_.astype(np.intp)] = answers
    share = 1 / (len(truth) + 1)
    return np.asarray((1 - share) * guesses + share * prior)


def logistic() -> Any:
    """Logistic regression as imputers use it."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200, tol=1e-3)


def boosting(public: NDArray[Any], kinds: NDArray[np.bool_]) -> Any:
    """Histogram gradient boosting as imputers use it; `kinds` tells which columns are codes of kinds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    few = [kind and len(np.unique(public[:, i])) <= 200 for i, kind in enumerate(kinds.tolist())]
    return HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=15, min_samples_leaf=10, categorical_features=few, random_state=0
    )


def best_column(question: Question) -> int | None:
    """The known column whose table tells most about the attacker's own people, each left out of their own count."""
    table, truth = question.features, question.public_truth
    best, found = None, -np.inf
    for place in range(table.public_codes.shape[1]):
        cells = _cells(table.public_codes[:, place], table.public_codes[:, place])
        counts = _counts(cells, truth, len(question.hidden))
        mine = counts[cells] - np.eye(len(question.hidden))[truth] + SMOOTH * question.prior
        told = float(np.log(mine[np.arange(len(truth)), truth] / mine.sum(axis=1)).mean())
        if told > found + 1e-12:
            best, found = place, told
    return best


def _from_column(question: Question, place: int) -> Guesses:
    public, people = question.features.public_codes[:, place], question.features.people_codes[:, place]
    cells = _cells(public, np.r_[public, people])
    counts = np.zeros((int(cells.max()) + 1, len(question.hidden)))
    counts += SMOOTH * question.prior
    np.add.at(counts, (cells[: len(public)], question.public_truth), 1.0)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(shares[cells[len(public) :]])


def _counts(cells: NDArray[np.intp], truth: NDArray[np.intp], values: int) -> NDArray[np.float64]:
    counts = np.zeros((int(cells.max()) + 1, values))
    np.add.at(counts, (cells, truth), 1.0)
    return counts


def _cells(public: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.intp]:
    """The cell of each value: its own, or of many numbers a bin of equally many public people; missing is a cell."""
    values = np.unique(public[~np.isnan(public)])
    if len(values) > 4 * BINS:
        values = np.unique(np.quantile(public[~np.isnan(public)], np.linspace(0, 1, BINS + 1)))
    cells = np.searchsorted(values, column, side="right")
    return np.where(np.isnan(column), len(values) + 1, cells).astype(np.intp)
