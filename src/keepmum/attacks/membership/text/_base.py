"""What all membership attacks on documents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.attacks.membership.text._windows import read
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.targets._remembered_text import remembered_text
from keepmum.targets.text import Scored, TextTarget, TokenScoreTarget
from keepmum.texts import are_documents

T = TypeVar("T", bound=TextTarget)
REFERENCE = "text/reference"
"""Where the reference model stands among what attacks share, with the memory of what it said."""
TINY = 1e-9
"""Losses in nats below this count as this, where something is divided by them."""


@dataclass(frozen=True)
class TextMembershipAttack(MembershipAttack[T]):
    """Was this document trained on? Subclasses rate texts, higher = more likely a member, NaN = nothing to be said.

    A document without a single token that the model scores, or too short for the technique, stands in the middle: it
    gets the median of the others.
    """

    def unsuited(self, records: Records) -> str | None:
        """Why the records are no documents, or None."""
        return None if are_documents(records) else "needs documents: one text a record"

    @final
    def score(self, target: T, records: Records, ctx: Context) -> Scores:
        """Ratings of the documents.

        Raises:
          NotApplicableError: The records are no documents.
        """
        reason = self.unsuited(records)
        if reason is not None:
            raise NotApplicableError(reason)
        return filled(self.rate(target, texts_of(records), ctx))

    @abstractmethod
    def rate(self, target: T, texts: list[str], ctx: Context) -> Scores:
        """Membership scores, shape ``(n,)``, higher = more likely a member; NaN where there is nothing to go by."""


def texts_of(records: Records) -> list[str]:
    """Documents as texts."""
    return [str(text) for text in records.X]


def filled(scores: Scores) -> Scores:
    """Scores with the median of the others where there is none, 0 where there are no others."""
    known = np.isfinite(scores)
    return np.where(known, scores, float(np.median(scores[known])) if known.any() else 0.0)


def each(scored: Sequence[Scored], rate: Callable[[Scored], float]) -> Scores:
    """One number a text; NaN for texts without a token that is scored."""
    return np.array([rate(one) if len(one.log_probs) else np.nan for one in scored], dtype=np.float64)


def reference_of(ctx: Context) -> TokenScoreTarget:
    """The reference model, behind a memory that all attacks of the audit share.

    Raises:
      NotApplicableError: There is none, or it does not score texts.
    """
    given = ctx.reference
    if not isinstance(given, TokenScoreTarget):
        what = "there is none" if given is None else f"the one given offers {given.access}"
        raise NotApplicableError(
            f"needs a reference model with token scores: {what}; give the base model of a fine-tuned one, or one of "
            "other documents of the same kind"
        )
    kept = ctx.games.get(REFERENCE)
    if kept is None or getattr(kept, "inner", kept) is not getattr(given, "inner", given):
        kept = ctx.games[REFERENCE] = remembered_text(given)
    assert isinstance(kept, TokenScoreTarget)
    return kept


def both(target: TokenScoreTarget, texts: list[str], ctx: Context) -> list[tuple[Scored, Scored]]:
    """What the target and the reference say of each text."""
    reference = reference_of(ctx)
    return list(zip(read(target, texts), read(reference, texts), strict=True))


def shifts(mine: Scored, other: Scored) -> Scores:
    """How much surer the target is of each token than the reference, ``(t,)`` in nats.

    Raises:
      NotApplicableError: The two cut the text into different tokens.
    """
    if mine.tokens != other.tokens:
        raise NotApplicableError(
            "needs a reference model with the target's tokens: the two cut texts differently; use the base model, or "
            "membership/text-reference, which compares whole texts"
        )
    return np.asarray(mine.log_probs - other.log_probs, dtype=np.float64)
