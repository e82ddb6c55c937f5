"""What ranks tell: which secrets the model knows, whether the twins are fair, how private training was at most."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.stats import Estimate
from keepmum.stats.exposure import Ranks, null_bits, uniformity
from keepmum.stats.intervals import clopper_pearson
from keepmum.stats.multiple import benjamini_hochberg, holm
from keepmum.stats.one_run import epsilon_one_run
from keepmum.texts import Secret

Flags = NDArray[np.bool_]
LEVEL = 0.05
UNFAIR = 0.01
"""Twins whose ranks are less likely than this to be uniform are no control."""
FEWEST_PAIRS = 4


def known(ranks: Ranks, planted: Flags) -> dict[str, Estimate]:
    """Shares of the planted secrets that are each known by their own rank.

    ``known`` keeps the share of false alarms among them at 5 % (Benjamini and Hochberg), ``known_for_sure`` the chance
    of any (Holm).
    """
    p_values, count = ranks.p_values[planted], int(planted.sum())
    found = {"known": benjamini_hochberg(p_values), "known_for_sure": holm(p_values)}
    return {name: clopper_pearson(int((adjusted <= LEVEL).sum()), count) for name, adjusted in found.items()}


def chance(ranks: Ranks, planted: Flags) -> Estimate:
    """Mean exposure of secrets that the model does not know, among as many others."""
    bits = float(np.mean([null_bits(others) for others in ranks.others[planted].tolist()]))
    return Estimate(bits, bits, bits)


def fairness(ranks: Ranks, planted: Flags, ctx: Context, name: str) -> tuple[Estimate, str]:
    """P-value of the twins' uniformity, and why the comparison cannot be believed if they are not uniform."""
    rng = np.random.default_rng([ctx.seed, zlib.crc32(name.encode()), 0x74696573])
    p_value = uniformity(ranks.places(rng)[~planted])
    reason = (
        f"the comparison is not fair: ranks of the {int((~planted).sum())} twins, which were never trained on, are not "
        f"uniform (Kolmogorov-Smirnov p = {p_value:.2g}); check that no twin stands in the data, that prefixes are "
        "those of the data, and that secrets are drawn as their kind says"
    )
    return Estimate(p_value, p_value, p_value), reason if p_value <= UNFAIR else ""


def epsilon(
    secrets: Sequence[Secret], scores: NDArray[np.float64], among: Flags, ctx: Context, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Lower bound on epsilon from pairs whose planted one is ``among`` the secrets meant, where coins were flipped."""
    if ctx.secrets is None or not ctx.secrets.paired:
        return {}
    place = {secret.text: number for number, secret in enumerate(secrets)}
    pairs = [
        (place[one.text], place[other.text])
        for one, other in zip(ctx.secrets.planted, ctx.secrets.twins, strict=True)
        if one.text in place and other.text in place and among[place[one.text]]
    ]
    if len(pairs) < FEWEST_PAIRS:
        return {}
    ours, theirs = np.array(pairs).T
    return {"epsilon_lower_bound": epsilon_one_run(scores[ours] - scores[theirs], ctx.delta, confidence)}


def words(ranks: Ranks, planted: Flags) -> str:
    """Mean exposure on both sides, for a lay person."""
    ours, theirs = (float(ranks.bits[side].mean()) for side in (planted, ~planted))
    told = f"Mean exposure is {ours:.1f} bits of the planted and {theirs:.1f} of the others"
    return f"{told}; {chance(ranks, planted).value:.1f} are expected of what a model does not know."
