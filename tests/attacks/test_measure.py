"""From scores to findings: groups, operating point, sentences."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.attacks import Context
from keepmum.attacks.membership._measure import SMALL, judge, operating_point, slices
from keepmum.attacks.membership.loss import Loss
from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets import FunctionScores

RNG = np.random.default_rng(0)


def groups(sizes: list[int]) -> list[tuple[str, int, int]]:
    """Groups of these many members and as many non-members, as the report shows them."""
    column = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    both = np.concatenate([column, column])
    is_member = np.arange(len(both)) < len(column)
    records = Records(np.zeros((len(both), 1)), both)
    shown = slices(records, is_member, RNG.normal(size=len(both)), Context(), by_class=True)
    return [(s.value, s.members, s.nonmembers) for s in shown]


def test_large_groups_are_shown_as_they_are():
    assert groups([40, 50]) == [("g0", 40, 40), ("g1", 50, 50)]


def test_small_groups_are_put_together():
    assert groups([40, 6, 7]) == [("g0", 40, 40), ("(small groups together)", 13, 13)]


def test_one_small_group_is_joined_by_the_next_larger():
    """Or else the whole less the groups shown would give the one person away."""
    assert groups([40, 1, 30]) == [("g0", 40, 40), ("(small groups together)", 31, 31)]


def test_nothing_but_small_groups():
    shown = groups([3, 4, 2])
    assert shown == [("(small groups together)", 9, 9)]
    assert shown[0][1] < SMALL


def test_groups_too_small_for_an_interval_have_none():
    column = np.repeat(["a", "b"], [15, 300])
    records = Records(np.zeros((630, 1)), np.r_[column, column])
    shown = slices(records, np.arange(630) < 315, RNG.normal(size=630), Context(), by_class=True)
    assert [sorted(s.metrics) for s in shown] == [[], ["auc", "tpr_at_fpr_0.1"]]


def test_operating_point_is_the_lowest_that_accuses_anybody():
    others = RNG.normal(size=1000)
    assert operating_point(others + 3, others) == 0.01
    assert operating_point(others[:50] + 3, others[:50]) == 0.1
    many_at_the_top = np.where(RNG.random(1000) < 0.3, 10.0, others)
    assert operating_point(many_at_the_top, many_at_the_top) == 0.5
    assert operating_point(np.ones(100), np.ones(1000)) is None
    assert operating_point(np.ones(10), np.ones(5)) is None


def test_scores_that_are_no_scores_are_refused():
    target = FunctionScores(lambda X: np.full((len(X), 2), 0.5), np.arange(2))
    records, is_member = Records(np.zeros((4, 1)), np.zeros(4, int)), np.array([True, True, False, False])
    for scores in (np.array([0.0, np.nan, 1.0, 2.0]), np.zeros(3)):
        with pytest.raises(TargetError, match="finite scores"):
            judge(Loss(), target, records, is_member, scores, Context(), 4)
