"""The extraction game: everything about it but the technique."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context, Ledger
from keepmum.data import Records, Split
from keepmum.findings import Finding
from keepmum.stats.exposure import Ranks
from keepmum.targets._base import Target
from keepmum.texts import COLUMNS, Secret, secrets_of

T = TypeVar("T", bound=Target)


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
    """

    scores: NDArray[np.float64]
    extracted: NDArray[np.bool_]
    evidence: tuple[str, ...] = ()
    metrics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    ranks: Ranks | None = None


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
        """Ask about everyone, then measure: planted, twins, and the same on a model without them where there is one."""
        from keepmum.attacks.extraction._measure import judge

        before = target.queries
        records, is_planted = data.mixed(ctx.seed)
        secrets = secrets_of(records)
        asked = [Secret(s.prefix, s.secret, s.suffix, s.kind, 0, s.group) for s in secrets]
        seen = self.extract(target, asked, ctx)
        if records.ids is not None:
            ctx.ledger[self.name] = Ledger(records.ids, is_planted, np.asarray(seen.scores, dtype=np.float64))
        return judge(self, secrets, is_planted, seen, ctx, target.queries - before)
