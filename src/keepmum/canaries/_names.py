"""Names of nobody: common first names and common last names, put together at random."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from keepmum.errors import ConfigError


@cache
def names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The 500 first and 1,000 last names that most people of the United States have (census of 2020)."""
    first: list[str] = []
    last: list[str] = []
    into = first
    for line in (files("keepmum.canaries") / "names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            into = last if "last" in line else first
        else:
            into += line.split()
    return tuple(first), tuple(last)


def draw_names(count: int, rng: np.random.Generator) -> list[str]:
    """So many different full names.

    Raises:
      ConfigError: More than there are.
    """
    first, last = names()
    if count > len(first) * len(last):
        raise ConfigError(f"expected at most {len(first) * len(last):,} names, for two a canary, got {count:,}")
    picked = rng.choice(len(first) * len(last), size=count, replace=False)
    return [f"{first[each // len(last)]} {last[each % len(last)]}" for each in picked.tolist()]
