"""Who is most exposed: aggregates for the report, single records for the closed folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import encode
from keepmum.attacks.membership._measure import MOST_GROUPS, SMALL, folded
from keepmum.data import Records, Split
from keepmum.findings import ExposedGroup, Exposure, Trait
from keepmum.shadows import Shadows, Vulnerability, vulnerability
from keepmum.shadows.vulnerability import FEWEST

CERTAIN = 0.9
"""Risk from which a member counts as told for certain."""
SHARES = (0.5, 0.9, 0.99, 0.999)
EDGES = tuple(round(0.3 + 0.05 * i, 2) for i in range(15))
"""Edges of the histogram; what is below the first counts in the first bin."""
RARE = 1 / 3
"""A class is rare if its share is smaller than this part of an equal share."""
FAR = 0.05
"""Share of all records that count as isolated: those furthest from their nearest neighbors."""
NEIGHBORS = 3
SAMPLE = 500
"""Records among which neighbors are looked for."""
WORK = 4e9
"""Multiplications that looking for neighbors may cost."""
ROWS = 4096


@dataclass(frozen=True, eq=False)
class Found:
    """The risk of every audited record, and what is known of each.

    Attributes:
      risks: Risk of each record, in the order of the split's pool.
      traits: Of whom each trait holds, ``(n,)``, by name.
    """

    risks: Vulnerability
    traits: Mapping[str, NDArray[np.bool_]]


def assess(shadows: Shadows | None, split: Split, seed: int) -> Found | None:
    """The risk of each record; None where there are too few shadow models to tell."""
    if shadows is None or len(shadows) < FEWEST:
        return None
    doubted = shadows.sums.mean("outside") < 0
    labels = np.unique(split.pool.y.astype(str), return_inverse=True)[1]
    sizes = np.bincount(labels) / len(labels)
    rare = (sizes < RARE / len(sizes))[labels]
    traits = {"rare_class": rare, "label_doubted": doubted, "isolated": isolated(split.pool, seed)}
    return Found(vulnerability(shadows), traits)


def isolated(records: Records, seed: int) -> NDArray[np.bool_]:
    """Who is furthest from the nearest of a sample of the others, each column on one scale, ``(n,)``."""
    values = encode(records)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        count = np.maximum(known.sum(axis=0), 1)
        mean = filled.sum(axis=0) / count
        spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)
    scaled = np.where(known, (filled - mean) / np.where(spread > 0, spread, np.inf), 0.0)
    n = len(scaled)
    most = int(np.clip(WORK / max(1, n * scaled.shape[1]), 50, SAMPLE))
    chosen = np.sort(np.random.default_rng([seed, 0x69736F6C]).permutation(n)[:most])
    if len(chosen) <= NEIGHBORS:
        return np.zeros(n, dtype=bool)
    distance = np.concatenate([_nearest(scaled, start, chosen) for start in range(0, n, ROWS)])
    return np.asarray(distance > np.quantile(distance, 1 - FAR))


def _nearest(scaled: NDArray[np.float64], start: int, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean distance of some rows to their nearest among the chosen, themselves left out."""
    rows, others = scaled[start : start + ROWS], scaled[chosen]
    square = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * rows @ others.T
    square[np.arange(start, start + len(rows))[:, None] == chosen] = np.inf
    near = np.partition(square, NEIGHBORS - 1, axis=1)[:, :NEIGHBORS]
    return np.asarray(np.sqrt(np.maximum(near, 0.0)).mean(axis=1))


def exposure(found: Found, split: Split, shadows: int, slices: tuple[str, ...]) -> Exposure:
    """What the report tells of the members' risk: aggregates, in which ten people at least stand together."""
    members = split.is_member
    risk = found.risks.risk[members]
    n = len(risk)
    quantiles = {f"{q:g}": round(float(np.quantile(risk, q)), 4) for q in SHARES if (1 - q) * n >= SMALL}
    top = min(max(5 * SMALL, n // 100), n // 10)
    first = np.flatnonzero(members)[np.lexsort((-found.risks.gap[members], -risk))[:top]]
    traits = tuple(Trait(name, _share(of[first]), _share(of[members])) for name, of in found.traits.items())
    inside = _folded(np.histogram(np.clip(risk, EDGES[0], EDGES[-1]), EDGES)[0])
    certain = _share(risk >= CERTAIN)
    return Exposure(
        shadows=shadows,
        members=n,
        quantiles=quantiles,
        edges=EDGES,
        shares=tuple(round(float(v), 6) for v in inside / n),
        certain=certain,
        most_exposed=top if top >= SMALL else 0,
        traits=traits if top >= SMALL else (),
        groups=_groups(found.risks.risk, split, slices),
        explanation=_sentence(quantiles, certain),
    )


def _folded(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Bins of a histogram, those of a few people put into the next one towards the fullest."""
    counts, fullest = counts.copy(), int(counts.argmax())
    for i, towards in [(i, -1) for i in range(len(counts) - 1, fullest, -1)] + [(i, 1) for i in range(fullest)]:
        if counts[i] < SMALL:
            counts[i + towards] += counts[i]
            counts[i] = 0
    return counts


def _share(of: NDArray[np.bool_]) -> float | None:
    """Share of people of whom something holds, unless these are a few."""
    count = int(of.sum())
    return None if 0 < count < SMALL else round(count / max(1, len(of)), 4)


def _sentence(quantiles: Mapping[str, float], certain: float | None) -> str:
    if not quantiles:
        return "There are too few members to tell how exposed single ones are."
    rest = ", ".join(
        f"{100 * value:.0f} for the most exposed {100 * (1 - float(share)):g} %"
        for share, value in quantiles.items()
        if share != "0.5"
    )
    sure = "fewer than ten members are" if certain is None else f"{100 * certain:.1f} % of the members are"
    sure = sure if certain != 0 else "no member is"
    return (
        "Shown one model that was trained on a record and one that was not, an attacker who names the surer one is "
        f"right in {100 * quantiles['0.5']:.0f} of 100 cases for the median member (50 is guessing)"
        f"{', in at least ' + rest if rest else ''}; {sure} told in 90 of 100 cases or more."
    )


def _groups(risk: NDArray[np.float64], split: Split, slices: tuple[str, ...]) -> tuple[ExposedGroup, ...]:
    pool, members, made = split.pool, split.is_member, []
    for column, values in [("class", pool.y), *((name, pool.column(name)) for name in slices)]:
        names, place = folded(values, members)
        for group in np.sort(np.argsort(-np.bincount(place), kind="stable")[:MOST_GROUPS]):
            mine = risk[(place == group) & members]
            if len(mine) < SMALL:
                continue
            upper = round(float(np.quantile(mine, 0.9)), 4) if len(mine) >= 10 * SMALL else None
            made.append(ExposedGroup(column, str(names[group]), len(mine), round(float(np.median(mine)), 4), upper))
    return tuple(made)


def table(found: Found, split: Split, given_members: int) -> str:
    """Every record, the most exposed first, as CSV: side, row in what was given (from 0), risk, interval, reasons."""
    ids = split.pool.ids
    assert ids is not None
    first = np.where(split.is_member, 0, given_members)
    counted = bool((ids >= first).all() and (ids[split.is_member] < given_members).all())
    rows = ids - first if counted else ids  # records that came with ids of their own are told by these
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["side", "row" if counted else "id", "risk", "low", "high", "reasons"])
    risks = found.risks
    for i in risks.order.tolist():
        side = "members" if split.is_member[i] else "nonmembers"
        numbers = [f"{part[i]:.4f}" for part in (risks.risk, risks.low, risks.high)]
        reasons = " ".join(name for name, of in found.traits.items() if of[i])
        writer.writerow([side, int(rows[i]), *numbers, reasons])
    return out.getvalue()
