"""What attacks of one audit ask a model in common: each text is made, each secret scored, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.targets._base import Target
from keepmum.targets.text import GREEDY, LogitTarget, Sampling, Scored, TextTarget, TokenScoreTarget
from keepmum.texts import Secret

Asked = tuple[str, int, int, Sampling, int]
"""Prompt, tokens, samples, sampling, seed."""


@dataclass(eq=False)
class Answers:
    """Notes of what one target answered.

    Attributes:
      target: Whose answers they are.
      reused: Queries that were answered from the notes.
    """

    target: Target
    reused: int = 0
    _texts: dict[Asked, list[str]] = field(default_factory=dict)
    _scores: dict[tuple[str, str], Scored] = field(default_factory=dict)

    def texts(
        self, prompts: Sequence[str], tokens: int, samples: int = 1, sampling: Sampling = GREEDY, seed: int = 0
    ) -> list[list[str]]:
        """Continuations as `TextTarget.generate` makes them."""
        assert isinstance(self.target, TextTarget)
        keys = [(prompt, tokens, samples, sampling, seed) for prompt in prompts]
        fresh = list(dict.fromkeys(key for key in keys if key not in self._texts))
        made = self.target.generate([key[0] for key in fresh], tokens, samples=samples, sampling=sampling, seed=seed)
        self._texts.update(zip(fresh, made, strict=True))
        self.reused += samples * (len(keys) - len(fresh))
        return [self._texts[key] for key in keys]

    def scores(self, texts: Sequence[str], prefixes: Sequence[str]) -> list[Scored]:
        """What `TokenScoreTarget.score` says."""
        assert isinstance(self.target, TokenScoreTarget)
        keys = list(zip(prefixes, texts, strict=True))
        fresh = list(dict.fromkeys(key for key in keys if key not in self._scores))
        made = self.target.score([text for _, text in fresh], [prefix for prefix, _ in fresh])
        self._scores.update(zip(fresh, made, strict=True))
        self.reused += len(keys) - len(fresh)
        return [self._scores[key] for key in keys]


def answers_of(target: Target, ctx: Context) -> Answers:
    """The notes about a target that attacks of one audit share."""
    kept: list[Answers] = ctx.games.setdefault("extraction:answers", [])
    for notes in kept:
        if notes.target is target:
            return notes
    kept.append(Answers(target))
    return kept[-1]


def continuations(
    target: TextTarget,
    secrets: Sequence[Secret],
    ctx: Context,
    prompts: Sequence[str] | None = None,
    samples: int = 1,
    sampling: Sampling = GREEDY,
) -> list[list[str]]:
    """What a model makes of each secret's prefix (or of other prompts), long enough to hold the secret.

    Secrets of about the same length are asked about at once.
    """
    notes = answers_of(target, ctx)
    asked = [s.prefix for s in secrets] if prompts is None else list(prompts)
    lengths = np.array([_tokens(target, secret) for secret in secrets])
    made: list[list[str]] = [[] for _ in secrets]
    for length in np.unique(lengths):
        mine = np.flatnonzero(lengths == length)
        texts = notes.texts([asked[i] for i in mine], int(length), samples, sampling, ctx.seed)
        for i, text in zip(mine, texts, strict=True):
            made[i] = text
    return made


def _tokens(target: TextTarget, secret: Secret) -> int:
    """Tokens that are enough to spell a secret, in steps so that secrets of about one length are asked together.

    Where the model's tokens are not told there may be one a byte. Where they are, room is left for other spellings.
    """
    need = len(secret.secret.encode())
    if isinstance(target, LogitTarget):
        joint = len(target.encode(secret.prefix + secret.secret)) - len(target.encode(secret.prefix))
        need = min(need, 4 + joint + joint // 4)
    return next(step for step in _STEPS if step >= need) if need <= _STEPS[-1] else need


_STEPS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


SPARE = 16
"""Tokens of the context that are left free: for a beginning token, and for candidates longer than the secret."""


def fitting(target: Target, secret: Secret) -> Secret:
    """A secret with as much around it as the model can read: the end of what stands before, the beginning of the rest.

    A secret that is itself too long stays as it is, and is refused by the model.
    """
    if not isinstance(target, LogitTarget) or target.context is None:
        return secret
    before, after = target.encode(secret.prefix), target.encode(secret.suffix)
    need = max(_tokens(target, secret), len(target.encode(secret.secret)))
    room = target.context - SPARE - need
    if len(before) + len(after) <= room or room < 1:
        return secret
    most = max(room - len(after), room - room // 4)
    prefix = next(
        (t for n in range(min(most, len(before)), 0, -1) if secret.prefix.endswith(t := target.decode(before[-n:]))), ""
    )
    left = room - len(target.encode(prefix))
    suffix = next(
        (t for n in range(min(left, len(after)), 0, -1) if secret.suffix.startswith(t := target.decode(after[:n]))), ""
    )
    return replace(secret, prefix=prefix, suffix=suffix)


def favor(
    target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context, prefixes: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """How much a model favors each secret: its log-probability, less that of a model that never saw any, ``(n,)`` nats.

    Where there is no such model, less the median of the secrets of its group, so that long secrets and short ones, easy
    kinds and hard ones can be held against each other. Planted secrets and twins are moved alike.
    """
    before = [s.prefix for s in secrets] if prefixes is None else list(prefixes)
    texts = [s.secret for s in secrets]
    totals = np.array([scored.total for scored in answers_of(target, ctx).scores(texts, before)])
    if isinstance(ctx.reference, TokenScoreTarget):
        usual = np.array([scored.total for scored in answers_of(ctx.reference, ctx).scores(texts, before)])
        return np.asarray(totals - usual)
    return centered(totals, secrets)


def centered(values: NDArray[np.float64], secrets: Sequence[Secret]) -> NDArray[np.float64]:
    """Values less the median of each secret's group."""
    groups = np.array([s.group or s.kind for s in secrets], dtype=object)
    result = np.array(values, dtype=np.float64)
    for group in set(groups.tolist()):
        result[groups == group] -= np.median(values[groups == group])
    return result


def begins_with(text: str, secret: Secret) -> bool:
    """Whether a continuation is the secret; white space before either is passed over, since servers drop it."""
    return text.lstrip().startswith(secret.secret.strip())


def common_prefix(text: str, secret: Secret) -> int:
    """Characters of the secret that a continuation begins with."""
    ours, wanted = text.lstrip(), secret.secret.strip()
    return next((i for i, (a, b) in enumerate(zip(ours, wanted, strict=False)) if a != b), min(len(ours), len(wanted)))
