"""UCI Adult: census records of 48,842 people, and whether they earn more than 50,000 dollars a year."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def load_adult(rows: int | None = None, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Load Adult, in random order.

    The marker "?" for a missing value survives only in UCI's own training part, so that UCI's two parts can be told
    apart without any model. Do not audit on them: divide these rows at random, as they come.

    Args:
      rows: How many people, at most 48,842; all by default.
      seed: Seed of the order.

    Returns:
      ``X`` with 13 columns (numbers and text) and ``y`` with the labels ``"<=50K"`` and ``">50K"``.

    References:
      Becker, Kohavi. Adult. UCI Machine Learning Repository (1996), doi:10.24432/C5XW20, CC BY 4.0.
    """
    import numpy as np
    import pandas as pd

    with resources.as_file(resources.files("keepmum.datasets") / "adult.csv.xz") as path:
        frame = pd.read_csv(path)
    order = np.random.default_rng(seed).permutation(len(frame))[:rows]
    frame = frame.iloc[order].reset_index(drop=True)
    return frame.drop(columns=["income", "uci_split"]), frame["income"]
