"""Who is the attacker's own, and who is held out."""

from __future__ import annotations

import numpy as np

from keepmum.attacks._base import Context
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError

FEWEST = 4
"""People the model never saw who can be divided."""


def sides(data: Split, ctx: Context, things: str, salt: int) -> tuple[Records, Records]:
    """The attacker's own records, and people the model never saw whom neither model nor attacker has.

    The population is the attacker's own; without one, half of the people the model never saw.

    Args:
      data: The split.
      ctx: Its seed divides.
      things: What the records are called.
      salt: Divides for one kind of attack otherwise than for another.

    Raises:
      NotApplicableError: Too few to be divided.
    """
    if data.population is not None:
        return data.population, data.nonmembers
    n = len(data.nonmembers)
    if n < FEWEST:
        raise NotApplicableError(
            f"needs {things} of the attacker's own: a population, or {FEWEST} non-members; there are {n}"
        )
    order = np.random.default_rng([ctx.seed, salt]).permutation(n)
    return data.nonmembers.take(order[: n // 2]), data.nonmembers.take(order[n // 2 :])
