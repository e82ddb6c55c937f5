"""PII reconstruction: candidates come from the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import ExtractionAttack, Seen
from keepmum.attacks.extraction._shared import begins_with, continuations
from keepmum.attacks.extraction.pii_inference import sentence_scores
from keepmum.detectors import KINDS, find
from keepmum.errors import ConfigError
from keepmum.targets.text import PLAIN, Sampling, TokenScoreTarget
from keepmum.texts import Secret

ALONE = 1e3
"""Lead, in nats, of a secret that is the only candidate; so far behind is one where the model says no candidate."""


@dataclass(frozen=True)
class PIIReconstruction(ExtractionAttack[TokenScoreTarget]):
    """Reconstruction of personal data.

    The attacker has a text in which one piece was blacked out, and no list. They let the model go on with what stands
    before, take the pieces of the right kind that it says, and of these the one with which it finds the whole sentence,
    what stands after included, least surprising.

    Attributes:
      samples: Continuations a secret.
      sampling: How the model draws its tokens.

    References:
      Lukas et al. Analyzing Leakage of Personally Identifiable Information in Language Models. IEEE S&P 2023,
      arXiv:2302.00539, on reconstruction.
    """

    id: ClassVar[str] = "extraction/pii-reconstruction"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2302.00539",)

    samples: int = 32
    sampling: Sampling = PLAIN

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"expected at least 1 sample a secret, got {self.samples}")

    @property
    def per_record(self) -> int:
        """The samples, a score for each, one for the secret, and one greedy continuation beside."""
        return 2 * self.samples + 2

    def extract(self, target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Sample candidates and rank them; the score is the secret's lead over the best other candidate, in nats."""
        made = continuations(target, secrets, ctx, samples=self.samples, sampling=self.sampling)
        options = [_pieces(texts, secret, ctx) for texts, secret in zip(made, secrets, strict=True)]
        truth = sentence_scores(target, secrets, [s.secret for s in secrets], ctx)
        flat = [(s, text) for s, texts in zip(secrets, options, strict=True) for text in texts]
        values = sentence_scores(target, [s for s, _ in flat], [text for _, text in flat], ctx)
        each = np.split(values, np.cumsum([len(texts) for texts in options])[:-1])
        lead, out, evidence = np.empty(len(secrets)), np.zeros(len(secrets), dtype=bool), []
        for i, (secret, texts, v) in enumerate(zip(secrets, options, each, strict=True)):
            same = np.array([text.strip() == secret.secret.strip() for text in texts], dtype=bool)
            others = v[~same]
            alone = ALONE if same.any() else -ALONE  # nothing else was said, or nothing at all
            lead[i] = truth[i] - others.max() if len(others) else truth[i] + alone
            out[i] = bool(len(texts)) and bool(same[int(v.argmax())])
            evidence.append(texts[int(v.argmax())] if len(texts) else "")
        greedy = [texts[0] for texts in continuations(target, secrets, ctx)]
        found = [any(t.strip() == s.secret.strip() for t in texts) for texts, s in zip(options, secrets, strict=True)]
        return Seen(
            scores=lead,
            extracted=out,
            evidence=tuple(evidence),
            shares={"sampled": np.array(found)},
            beside={"greedy": np.array([begins_with(t, s) for t, s in zip(greedy, secrets, strict=True)])},
        )


def _pieces(texts: Sequence[str], secret: Secret, ctx: Context) -> list[str]:
    """Candidates in continuations, none twice: what each begins with, in the form that secrets of the kind have."""
    alphabets = {} if ctx.secrets is None else ctx.secrets.alphabets
    found = (_piece(text, secret, alphabets.get(secret.kind, ())) for text in texts)
    space = secret.secret[: len(secret.secret) - len(secret.secret.lstrip())]
    return list(dict.fromkeys(space + piece.strip() for piece in found if piece.strip()))


def _piece(text: str, secret: Secret, alphabet: Sequence[str]) -> str:
    """What of a continuation stands in the place that was blacked out.

    As many characters as the kind has, if they are of the kind; else the first piece of the kind that a detector finds;
    else what stands before the text that follows; else as many words as secrets of the kind have.
    """
    if alphabet:
        places = [place for place in alphabet if place.strip()]
        start = text.lstrip()[: len(places)]
        fits = len(start) == len(places) and all(c in place for c, place in zip(start, places, strict=True))
        return start if fits else ""
    if secret.kind in KINDS:
        pieces = find(text, (secret.kind,))
        return pieces[0].text if pieces else ""
    after = secret.suffix[:8]
    if after.strip() and after in text:
        return text[: text.index(after)]
    return " ".join(text.split()[: len(secret.secret.split())])
