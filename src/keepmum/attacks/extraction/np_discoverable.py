"""(n, p)-discoverable extraction: how many samples it takes until the secret is among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import Climb, ExtractionAttack, Seen
from keepmum.attacks.extraction._sampler import drawn, samples_for, within
from keepmum.attacks.extraction._shared import answers_of
from keepmum.errors import ConfigError
from keepmum.targets._base import Target
from keepmum.targets.text import PLAIN, LogitTarget, Sampling, TokenScoreTarget
from keepmum.texts import Secret

EFFORTS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)


@dataclass(frozen=True)
class NPDiscoverable(ExtractionAttack[TokenScoreTarget]):
    """(n, p)-discoverable extraction.

    The attacker asks the deployed model again and again, and what it likes to say second best comes out too. The
    probability ``p_z`` that one sample is the secret is computed and not sampled: the product over its tokens, under
    the sampling that the deployed model uses. A secret counts as extracted if it is among n samples with probability
    p. Other ways to spell the same text only add to ``p_z``, which is therefore a lower bound.

    Attributes:
      sampling: How the deployed model draws its tokens; anything but plain sampling needs full logits.
      n: Samples that the attacker draws.
      p: Probability with which the secret must be among them.
      per_day: Samples that the deployed model grants one attacker a day.

    References:
      Hayes et al. Measuring Memorization through Probabilistic Discoverable Extraction. NAACL 2025, arXiv:2410.19482.
    """

    id: ClassVar[str] = "extraction/np"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2410.19482",)

    sampling: Sampling = PLAIN
    n: int = 100
    p: float = 0.5
    per_day: float = 10_000

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 < self.p < 1 or not self.per_day > 0:
            raise ConfigError(
                "expected n of at least 1, p between 0 and 1 and samples a day above 0, got "
                f"{self.n}, {self.p} and {self.per_day}"
            )

    def inapplicable(self, target: Target) -> str | None:
        """Sampling that is cut off or sharpened can only be followed where all logits are told."""
        if self.sampling != PLAIN and isinstance(target, TokenScoreTarget) and not isinstance(target, LogitTarget):
            return f"needs full logits access to follow this sampling, the target offers {target.access}"
        return super().inapplicable(target)

    def extract(self, target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Probability of drawing each secret, and what follows from it."""
        if self.sampling == PLAIN:
            log_p, greedy = _plain(target, secrets, ctx)
            floor = log_p
        else:
            assert isinstance(target, LogitTarget)
            log_p, floor, greedy = _sampled(target, secrets, self.sampling)
        half = samples_for(log_p, 0.5)
        chances = within(log_p[:, None], np.array(EFFORTS)[None])
        return Seen(
            # What is never drawn ranks below what is, by the probability that the bare model gives it.
            scores=np.where(np.isfinite(log_p), log_p, floor - 1e6),
            extracted=within(log_p, np.array(float(self.n))) >= self.p,
            medians={"p_z": np.exp(log_p), "n_half": half, "days_half": half / self.per_day},
            verbatim=True,
            climbs=(Climb("recovered share", "samples", np.array(EFFORTS), chances, 1.0),),
            beside={} if greedy is None else {"greedy": greedy},
            remark=f"A secret counts as out if {self.n:,} samples hold it with probability {self.p:g}.",
        )


def _plain(
    target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Log-probability of each secret, and whether greedy decoding spells it, where that is told."""
    scored = answers_of(target, ctx).scores([s.secret for s in secrets], [s.prefix for s in secrets])
    log_p = np.minimum(np.array([each.total for each in scored]), 0.0)
    told = [None if each.likeliest is None else bool(each.likeliest.all()) for each in scored]
    flags = [flag for flag in told if flag is not None]
    return log_p, np.array(flags) if len(flags) == len(told) else None


def _sampled(
    target: LogitTarget, secrets: Sequence[Secret], sampling: Sampling
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The same under a sampling scheme; and the log-probability under the bare model."""
    log_p, bare = np.empty(len(secrets)), np.empty(len(secrets))
    greedy = np.empty(len(secrets), dtype=bool)
    for i, secret in enumerate(secrets):
        before, tokens = spelled(target, secret)
        rows = target.next_log_probs(before, [tokens[:t] for t in range(len(tokens))])
        wanted = np.array(tokens, dtype=np.intp)
        log_p[i] = drawn(rows, wanted, sampling).sum()
        bare[i] = drawn(rows, wanted, PLAIN).sum()
        greedy[i] = bool((rows.argmax(axis=1) == wanted).all())
    return log_p, bare, greedy


def spelled(target: LogitTarget, secret: Secret) -> tuple[list[int], list[int]]:
    """A secret's prefix and the secret as tokens, tokenized together as the model reads them.

    Where a token spans the boundary it belongs to the secret, and the tokens before it are the prefix.
    """
    alone, joint = target.encode(secret.prefix), target.encode(secret.prefix + secret.secret)
    shared = next(
        (i for i, (a, b) in enumerate(zip(alone, joint, strict=False)) if a != b), min(len(alone), len(joint))
    )
    return joint[:shared], joint[shared:]
