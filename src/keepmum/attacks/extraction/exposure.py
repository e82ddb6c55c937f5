"""Exposure: how far a model favors a secret over all that could stand in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import ExtractionAttack, Seen
from keepmum.attacks.extraction._others import Others, others_of
from keepmum.choices import Effort
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.stats.exposure import Ranks, extrapolated_bits, rank_among
from keepmum.targets._tree import Tree, grow
from keepmum.targets.text import LogitTarget, TokenScoreTarget
from keepmum.texts import Secret

FEWEST = 15
"""Fewer references than this show no more than 4 bits."""


class Compared(NamedTuple):
    """One secret among others: how many the model favors, how many equal it, of how many, whether these are all."""

    above: int
    ties: int
    others: int
    whole: bool
    extrapolated: float | None


@dataclass(frozen=True)
class Exposure(ExtractionAttack[TokenScoreTarget]):
    """Exposure of secrets.

    A model that was trained on a secret finds it likelier than others that were drawn alike, long before it says it
    by itself. The attacker, who knows what stands before the secret and how such secrets look, ranks it: among all
    there could be, where these are few and the model tells its whole distribution; else among others drawn at random.

    Exposure is ``log2 |R| - log2 rank``. Among all there could be it is exact, and a secret of rank 1 is found by
    whoever tries the likeliest first: it counts as extracted. Among ``N`` references it is at most ``log2 (N + 1)``, to
    be read as *at least*; what lies beyond is extrapolated by a skew-normal distribution, where one fits.

    Attributes:
      others: So many a secret is compared with where not all can be.
      exact: Where there are no more than this, all are compared.

    Raises:
      ConfigError: A number out of range.

    References:
      Carlini, Liu, Erlingsson, Kos, Song. The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural
      Networks. USENIX Security 2019, arXiv:1802.08232, section 4.
    """

    id: ClassVar[str] = "extraction/exposure"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1802.08232",)

    others: int = 255
    exact: int = 10_000

    def __post_init__(self) -> None:
        if self.others < FEWEST or self.exact < 0:
            raise ConfigError(
                f"expected at least {FEWEST} others and 0 or more secrets to compare exactly, got {self.others} and "
                f"{self.exact}"
            )

    @property
    def per_record(self) -> int:
        """Texts or beginnings that are asked about for each secret at most, but for a few."""
        return max(self.others, self.exact)

    def paced(self, effort: Effort) -> Exposure:
        """The same with as many references as an audit of this effort grants."""
        return replace(self, others={"quick": 63, "standard": self.others, "thorough": 1023}[effort.value])

    def extract(self, target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Exposure of each secret in bits, and whether it is the likeliest of all there could be."""
        kinds = others_of(secrets, ctx.secrets)
        mine = self.within(len(secrets), ctx.queries_left)
        found: list[Compared] = [Compared(0, 0, 1, False, None)] * len(secrets)
        for kind, others in kinds.items():
            places = [place for place, secret in enumerate(secrets) if secret.kind == kind]
            told = mine.compare(target, [secrets[place] for place in places], others, ctx.rng)
            for place, compared in zip(places, told, strict=True):
                found[place] = compared
        above, ties, count = (np.array(each, dtype=np.intp) for each in list(zip(*found, strict=True))[:3])
        ranks = Ranks(above, ties, count)
        whole = np.array([each.whole for each in found])
        first = whole & (above + ties == 0)
        beyond = np.array(
            [b if e.extrapolated is None else e.extrapolated for b, e in zip(ranks.bits, found, strict=True)]
        )
        ctx.remarks[self.name] = _remark(secrets, whole, ranks)
        return Seen(
            ranks.bits,
            first,
            tuple(secret.secret.strip() if out else "" for secret, out in zip(secrets, first, strict=True)),
            {"exposure": ranks.bits, "extrapolated_exposure": beyond},
            ranks=ranks,
        )

    def within(self, secrets: int, queries: int | None) -> Exposure:
        """The same for so many secrets with so many queries.

        Raises:
          NotApplicableError: They are too few.
        """
        if queries is None:
            return self
        each = queries // secrets - 1
        if each < FEWEST:
            raise NotApplicableError(f"needs {FEWEST + 1} queries for each of {secrets} secrets; {queries:,} are left")
        return replace(self, others=min(self.others, each), exact=min(self.exact, each))

    def compare(
        self, target: TokenScoreTarget, secrets: Sequence[Secret], others: Others, rng: np.random.Generator
    ) -> list[Compared]:
        """Where each of some secrets of a kind stands."""
        if others.space <= self.exact and isinstance(target, LogitTarget):
            return _by_tree(target, secrets, others.every())
        if others.space <= self.others:
            every = others.every()
            return [_among_all(_totals(target, secret, every), every.index(secret.secret)) for secret in secrets]
        return [_among_some(target, secret, others.some(self.others, rng)) for secret in secrets]


def _totals(target: TokenScoreTarget, secret: Secret, texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([scored.total for scored in target.score(texts, [secret.prefix] * len(texts))])


def _by_tree(target: LogitTarget, secrets: Sequence[Secret], every: Sequence[str]) -> list[Compared]:
    """Among all there could be; a tree grows anew only where another prefix makes the tokenizer cut them otherwise."""
    place = {text: number for number, text in enumerate(every)}
    tree: Tree | None = None
    told = []
    for secret in secrets:
        own = place[secret.secret]
        if tree is None or not tree.suits(target.encode, secret.prefix, every, own):
            tree = grow(target.encode, secret.prefix, every)
        told.append(_among_all(tree.log_probs(target, secret.prefix), own))
    return told


def _among_all(totals: NDArray[np.float64], own: int) -> Compared:
    above, ties = rank_among(float(totals[own]), np.delete(totals, own))
    return Compared(above, ties, len(totals) - 1, True, None)


def _among_some(target: TokenScoreTarget, secret: Secret, references: Sequence[str]) -> Compared:
    if len(references) < FEWEST:
        raise NotApplicableError(
            f"needs {FEWEST} others of the kind {secret.kind!r} that are not asked about themselves; there are "
            f"{len(references)}"
        )
    totals = _totals(target, secret, [secret.secret, *references])
    above, ties = rank_among(float(totals[0]), totals[1:])
    beyond = extrapolated_bits(totals[:1], totals[1:])
    return Compared(above, ties, len(references), False, None if beyond is None else float(beyond[0]))


def _remark(secrets: Sequence[Secret], whole: NDArray[np.bool_], ranks: Ranks) -> str:
    """What was compared with what."""
    kinds = np.array([secret.kind for secret in secrets])
    exact = [f"{k} (up to {ranks.caps[kinds == k].max():.1f} bits)" for k in np.unique(kinds[whole]).tolist()]
    some = [f"{k} (at {ranks.caps[kinds == k].min():.1f} bits)" for k in np.unique(kinds[~whole]).tolist()]
    parts = [f"exact for {', '.join(exact)}"] if exact else []
    parts += [f"among some others, and to be read as 'at least' where it ends, for {', '.join(some)}"] if some else []
    return f"Exposure is {'; '.join(parts)}."
