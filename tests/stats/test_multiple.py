"""Holm against an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepmum.stats.multiple import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def rejected(p_values, level):
    """Holm's procedure as he wrote it: step down until the first that is too large."""
    waiting = sorted(range(len(p_values)), key=lambda i: p_values[i])
    found = set()
    while waiting and p_values[waiting[0]] * len(waiting) <= level:
        found.add(waiting.pop(0))
    return found


@given(p_values, st.floats(0, 0.999))
def test_adjusted_values_reject_what_the_procedure_rejects(values, level):
    assert {i for i, p in enumerate(holm(np.array(values))) if p <= level} == rejected(values, level)


@given(p_values)
def test_adjusted_by_the_maximum_over_smaller_ones(values):
    """Each is the largest of (how many are left) times p over all that come no later."""
    order = sorted(values)
    steps = [min(1.0, p * (len(order) - i)) for i, p in enumerate(order)]
    expected = {p: max(steps[: i + 1]) for i, p in enumerate(order)}
    assert list(holm(np.array(values))) == pytest.approx([expected[p] for p in values], abs=1e-12)


@given(p_values)
def test_at_least_the_raw_value_at_most_bonferroni(values):
    raw = np.array(values)
    adjusted = holm(raw)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(raw)) + 1e-12).all()


def test_nothing_to_adjust():
    assert len(holm(np.array([]))) == 0
    assert holm(np.array([0.03])) == pytest.approx([0.03])
