"""Membership inference for documents by comparison with a model that never saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, both
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class TextReference(TextMembershipAttack[TokenScoreTarget]):
    """Likelihood ratio to a reference model.

    How hard a text is, any model of the kind can tell. A document that the target finds more likely than the
    reference does is called a member. The reference is the base model of a fine-tuned one, or a model of other
    documents; it may have tokens of its own, since whole texts are compared.

    References:
      Carlini et al. Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805,
      section 5. Mireshghallah et al. Quantifying Privacy Risks of Masked Language Models Using Membership Inference
      Attacks. EMNLP 2022, arXiv:2203.03929.
    """

    id: ClassVar[str] = "membership/text-reference"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2012.07805", "arXiv:2203.03929")

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Log-probability of the text under the target, less that under the reference, in nats.

        Raises:
          NotApplicableError: There is no reference model.
        """
        pairs = both(target, texts, ctx)
        return np.array(
            [m.total - r.total if len(m.log_probs) and len(r.log_probs) else np.nan for m, r in pairs],
            dtype=np.float64,
        )
