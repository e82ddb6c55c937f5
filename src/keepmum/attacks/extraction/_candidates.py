"""What else could stand in a secret's place, and how well the secret does among it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.detectors import KINDS, decoy
from keepmum.texts import Secret

Floats = NDArray[np.float64]


def candidates(secrets: Sequence[Secret], ctx: Context, most: int) -> list[list[str]]:
    """For each secret, itself first and up to ``most`` others of its kind that could stand there, none twice.

    Drawn from the places' alphabets where these are known; else the other secrets of its group, filled up with made-up
    ones where the kind has a format. Secrets of a kind that is none of these are held against fewer.
    """
    alphabets = {} if ctx.secrets is None else ctx.secrets.alphabets
    groups: dict[str, list[str]] = {}
    for secret in secrets:
        groups.setdefault(secret.group or secret.kind, []).append(secret.secret)
    made = []
    for secret in secrets:
        others = dict.fromkeys([secret.secret])
        if secret.kind in alphabets:
            _add(others, [_draw(alphabets[secret.kind], ctx.rng) for _ in range(2 * most)], most)
        else:
            pool = groups[secret.group or secret.kind]
            _add(others, [pool[i] for i in ctx.rng.permutation(len(pool))], most)
            if secret.kind in KINDS:
                bare = secret.secret.strip()
                space = secret.secret[: secret.secret.index(bare)]
                _add(others, [space + decoy(secret.kind, bare, ctx.rng) for _ in range(most)], most)
        made.append(list(others))
    return made


def _add(kept: dict[str, None], more: Sequence[str], most: int) -> None:
    for text in more:
        if len(kept) <= most:
            kept.setdefault(text)


def _draw(alphabet: Sequence[str], rng: np.random.Generator) -> str:
    return "".join(place[int(rng.integers(len(place)))] for place in alphabet)


def bits(values: Floats, mine: int = 0) -> float:
    """By how many bits one of some candidates is ahead of guessing: ``log2(k) - log2(rank)``, ties counting half.

    Args:
      values: ``(k,)`` how much each is favored.
      mine: Which one is meant.
    """
    rank = 0.5 + float((values > values[mine]).sum()) + 0.5 * float((values == values[mine]).sum())
    return float(np.log2(len(values)) - np.log2(rank))


def standing(values: Floats, mine: int = 0) -> float:
    """`bits`, and among equal ranks the lead over the best of the others: it moves the value by less than any rank."""
    others = np.delete(values, mine)
    lead = float(values[mine] - others.max()) if len(others) else 0.0
    return bits(values, mine) + 0.5 / len(values) * float(np.tanh(lead / 10))


def is_first(values: Floats, mine: int = 0) -> bool:
    """Whether one candidate is favored above all others; a tie is no win, and neither is being alone."""
    return len(values) > 1 and bool((np.delete(values, mine) < values[mine]).all())
