"""What a sample can show: the numbers that are quoted, and that they are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepmum.errors import ConfigError
from keepmum.stats.power import detectable_auc, needed_nonmembers, resolvable_fpr


@pytest.mark.parametrize(("fpr", "people"), [(0.1, 30), (0.01, 300), (0.001, 3000), (0.3, 10)])
def test_rule_of_three(fpr, people):
    assert needed_nonmembers(fpr) == people


@given(st.floats(1e-5, 0.9))
def test_without_alarm_among_so_many_the_rate_is_refuted(fpr):
    assert (1 - fpr) ** needed_nonmembers(fpr) <= 0.05
    assert needed_nonmembers(fpr) <= 1.002 * math.log(0.05) / math.log(1 - fpr) + 4


@given(st.integers(4, 10**6))
def test_the_resolvable_rate_needs_no_more_than_the_people_there(nonmembers):
    assert needed_nonmembers(resolvable_fpr(nonmembers)) <= nonmembers


def test_a_handful_resolves_nothing():
    assert resolvable_fpr(2) == 1.0


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1])
def test_rates_out_of_range_are_refused(fpr):
    with pytest.raises(ConfigError, match="false positive rate"):
        needed_nonmembers(fpr)


@given(st.integers(2, 10**5), st.integers(2, 10**5))
def test_more_people_show_smaller_effects(m, n):
    assert 0.5 < detectable_auc(m + 1, n) <= detectable_auc(m, n) <= 1
    assert detectable_auc(m, n) == pytest.approx(detectable_auc(n, m))


def test_noethers_sample_size():
    """Noether 1987: N = (z_alpha + z_beta)^2 / (12 c (1 - c) (p - 1/2)^2)."""
    z = 1.6448536269514722 + 0.8416212335729143
    n = z * z / (12 * 0.25 * 0.1**2)
    assert detectable_auc(round(n / 2), round(n / 2)) == pytest.approx(0.6, abs=1e-3)
    assert detectable_auc(100, 100, error=0.05 / 14) > detectable_auc(100, 100)
