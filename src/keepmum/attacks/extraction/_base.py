"""The extraction game: everything about it but the technique."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context, Ledger
from keepmum.attacks.extraction._shared import answers_of, fitting
from keepmum.data import Records, Split
from keepmum.findings import Finding
from keepmum.stats.exposure import Ranks
from keepmum.targets._base import Target
from keepmum.texts import COLUMNS, Secret, secrets_of

T = TypeVar("T", bound=Target)


@dataclass(frozen=True, eq=False)
class Climb:
    """A number about each secret that grows with the attacker's effort.

    Attributes:
      name: What grows.
      effort: What is spent.
      x: ``(k,)`` efforts, ascending.
      y: ``(n, k)`` finite values, one row a secret.
      highest: Values lie between 0 and this.
    """

    name: str
    effort: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    highest: float


@dataclass(frozen=True, eq=False)
class Seen:
    """What an attack got out about each secret, in the order in which it was asked.

    Attributes:
      scores: ``(n,)`` how much the model favors each secret over what else could stand there, higher = more likely
        trained on; exposure in bits, or the log-probability of drawing it.
      extracted: ``(n,)`` whether the secret itself came out.
      evidence: What came out, for the closed folder alone: one text a secret, or nothing.
      metrics: More numbers about the planted and the twins, computed by the attack: name → ``(n,)`` values; their means
        are reported for both sides.
      ranks: Where each secret stands among others that were drawn alike, where that was found out; ranks of the twins
        that are not uniform say that no finding from them can be believed.
      fractions: The same as `metrics`, of numbers between 0 and 1.
      medians: The same as `metrics`, where a mean says nothing: their medians are reported. Values may be infinite.
      shares: Yes or no about each secret: name → ``(n,)`` flags; their shares are reported for both sides.
      climbs: Numbers that grow with the effort.
      chance: ``(n,)`` probability that whoever guesses without the model gets each secret out, where the attack's own
        rules tell; None to take one guess among the secrets of its kind.
      verbatim: Whether a secret counts as out only where it was written in full, or would be in some hundred samples:
        whoever guesses without the model gets out one of very many so rarely that a single one tells.
      beside: What another technique gets out of the same secrets, told beside: its name → ``(n,)`` flags.
      remark: One sentence about how the attack went, added to the explanation.
    """

    scores: NDArray[np.float64]
    extracted: NDArray[np.bool_]
    evidence: tuple[str, ...] = ()
    metrics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    ranks: Ranks | None = None
    fractions: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    medians: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    shares: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    climbs: tuple[Climb, ...] = ()
    chance: NDArray[np.float64] | None = None
    verbatim: bool = False
    beside: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class ExtractionAttack(Attack[T]):
    """Does the secret come out? Subclasses ask about secrets, planted ones and twins mixed and not told apart."""

    def unsuited(self, records: Records) -> str | None:
        """Why the records hold no secrets, or None."""
        named = set(COLUMNS) <= set(records.columns) if getattr(records.X, "ndim", 1) > 1 else False
        return None if named else "needs secrets: canaries, or pieces of the training data with twins"

    @abstractmethod
    def extract(self, target: T, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Ask about secrets; ``repeats`` of all are 0 here, since the attacker does not know who was trained on."""

    @final
    def run(self, target: T, data: Split, ctx: Context) -> Finding:
        """Ask about everyone, then measure: planted, twins, and the same on a model without them where there is one.

        Answers that an earlier attack got and this one takes from its notes count as queries of both.
        """
        from keepmum.attacks.extraction._measure import judge

        notes = answers_of(target, ctx)
        before = target.queries + notes.reused
        records, is_planted = data.mixed(ctx.seed)
        secrets = secrets_of(records)
        asked = [fitting(target, Secret(s.prefix, s.secret, s.suffix, s.kind, 0, s.group)) for s in secrets]
        seen = self.extract(target, asked, ctx)
        cut = sum(a.text != s.text for a, s in zip(asked, secrets, strict=True))
        if cut:
            remark = f"Of what stands around {cut:,} secrets only as much was given as the model can read."
            ctx.remarks[self.name] = " ".join(filter(None, (ctx.remarks.get(self.name, ""), remark)))
        if records.ids is not None:
            scores = np.asarray(seen.scores, dtype=np.float64)
            ctx.ledger[self.name] = Ledger(records.ids, is_planted, scores, seen.extracted)
        return judge(self, secrets, is_planted, seen, ctx, target.queries + notes.reused - before)
