"""How different are the pictures of one class from search to search?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from keepmum.attacks.inversion import _base as family
from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._resemblance import correlation
from keepmum.stats import Estimate

AGAIN = 5
"""Classes that are searched for again with every further seed; all, where they share queries."""


def diversity(runs: Sequence[Floats]) -> Estimate:
    """Mean of 1 less the correlation of pictures of the same class from different searches, 0 … 2.

    0 says that every search comes to the same picture; two pictures that have nothing in common differ by 1. The
    interval is over classes: pairs of one class are not independent, and are averaged first.

    Args:
      runs: ``(C, *shape)`` pictures of the same classes from each of two searches or more.
    """
    pairs = [1 - np.diagonal(correlation(first, second)) for first, second in combinations(runs, 2)]
    return family.mean(np.mean(pairs, axis=0), 0.0, 2.0)
