"""Discoverable extraction: the model goes on with what stands before the secret, always with the likeliest token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keepmum.attacks._base import Attack, Context
from keepmum.attacks.extraction._base import ExtractionAttack, Seen
from keepmum.attacks.extraction._known import Known, prompt
from keepmum.attacks.extraction._shared import begins_with, centered, common_prefix, continuations, favor
from keepmum.targets.text import TextTarget, TokenScoreTarget
from keepmum.texts import Secret


@dataclass(frozen=True)
class Greedy(ExtractionAttack[TextTarget]):
    """Discoverable extraction by prefix.

    The attacker knows what stands before a secret, or the end of it, types it, and reads what the model likes best to
    say next. It is the cheapest extraction and misses what sampling finds; see `extraction/np`.

    Attributes:
      known: How much of what stands before the attacker knows: all of it, its last 10 or 50 tokens, or the name alone.

    References:
      Carlini et al. Quantifying Memorization Across Neural Language Models. ICLR 2023, arXiv:2202.07646; name alone
      against context: Huang, Shao, Chang. Are Large Pre-Trained Language Models Leaking Your Personal Information?
      EMNLP 2022, arXiv:2205.12628.
    """

    id: ClassVar[str] = "extraction/greedy"
    needs: ClassVar[type[TextTarget]] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2202.07646", "arXiv:2205.12628")

    known: Known = Known.ALL

    @property
    def name(self) -> str:
        """Id, with how much is known where that is not all."""
        return self.id if self.known is Known.ALL else f"{self.id}:{self.known}"

    @classmethod
    def variants(cls) -> tuple[Attack[Any], ...]:
        """Attackers who know less."""
        return tuple(cls(known) for known in Known if known is not Known.ALL)

    @property
    def per_record(self) -> int:
        """One continuation and one score."""
        return 2

    def extract(self, target: TextTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Go on greedily; the score is the secret's log-probability, or how much of it came out."""
        prompts = [prompt(target, secret, self.known) for secret in secrets]
        texts = [made[0] for made in continuations(target, secrets, ctx, prompts)]
        begun = np.array([common_prefix(t, s) / len(s.secret.strip()) for t, s in zip(texts, secrets, strict=True)])
        scored = isinstance(target, TokenScoreTarget)
        return Seen(
            scores=favor(target, secrets, ctx, prompts)
            if isinstance(target, TokenScoreTarget)
            else centered(begun, secrets),
            extracted=np.array([begins_with(t, s) for t, s in zip(texts, secrets, strict=True)]),
            evidence=tuple(texts),
            fractions={"share_of_text": begun},
            verbatim=True,
            remark="" if scored else "The model tells no scores: secrets are ranked by how much of them came out.",
        )
