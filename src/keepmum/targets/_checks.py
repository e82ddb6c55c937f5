"""The checks of a handshake, one function each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keepmum.targets._base import Floats
from keepmum.targets.text import GREEDY, PLAIN, FillTarget, LogitTarget, Scored, TextTarget, TokenScoreTarget

LADDER = ("none", "text", "token scores", "full logits", "weights")
NOISY = 0.5
"""Noise of so many nats hides what the checks look for."""
EXACT = 0.02
"""Nats that sums may be off, for single precision and for answers that are rounded a little."""
SAMPLES = 2
NEXT = 4
"""Next tokens that are drawn after each of some prompts."""
STEPS = 0.8
"""Share of the steps of a greedy text that must be the likeliest: some tokens are read otherwise than written."""


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      name: Of the check.
      passed: Whether it passed; None if nothing can be told.
      explanation: What was found, in a sentence.
      guards: The access that it vouches for, or nothing.
    """

    name: str
    passed: bool | None
    explanation: str
    guards: str = ""


@dataclass(frozen=True, eq=False)
class Written:
    """What a target wrote.

    Attributes:
      prompts: First halves of the probes.
      greedy: Greedy continuation of each.
      sampled: Some drawn continuations of each.
      tokens: How long they were to be.
      seed: Of what was drawn.
    """

    prompts: list[str]
    greedy: list[str]
    sampled: list[list[str]]
    tokens: int
    seed: int


@dataclass(frozen=True, eq=False)
class Next:
    """Single tokens after a prompt, those alone that are read as they were written: as one token, at the boundary.

    Attributes:
      greedy: The greedy token, or None if it is read otherwise.
      log_probs: Token → what the target says of it.
    """

    greedy: str | None
    log_probs: dict[str, float]


def written(target: TextTarget, texts: Sequence[str], tokens: int, seed: int) -> Written:
    """Have the target go on with the first halves of texts."""
    prompts = [_half(text) for text in texts]
    greedy = [each[0] for each in target.generate(prompts, tokens, sampling=GREEDY, seed=seed)]
    return Written(
        prompts, greedy, target.generate(prompts, tokens, samples=SAMPLES, sampling=PLAIN, seed=seed), tokens, seed
    )


def _half(text: str) -> str:
    """About the first half, up to the end of a word."""
    words = text[:240].split(" ")
    return " ".join(words[: max(1, len(words) // 2)]) if len(words) > 1 else text[: max(1, min(len(text), 240) // 2)]


def nexts(target: TokenScoreTarget, texts: Sequence[str], seed: int) -> list[Next]:
    """Single tokens after the halves and the thirds of texts, at the end of a word and inside one, and their scores.

    To what is drawn after a prompt come the greedy tokens of others, so that there is something to compare with where a
    model is sure or never draws.
    """
    prompts = [*map(_half, texts), *(text[: max(2, min(len(text), 240) // 3)] for text in texts)]
    firsts = [each[0] for each in target.generate(prompts, 1, sampling=GREEDY, seed=seed)]
    drawn = target.generate(prompts, 1, samples=NEXT, sampling=PLAIN, seed=seed)
    usual = [text for text in dict.fromkeys(firsts) if text][:3]
    asked = [
        (place, text)
        for place, (first, some) in enumerate(zip(firsts, drawn, strict=True))
        for text in dict.fromkeys([first, *some, *usual])
        if text
    ]
    scored = target.score([text for _, text in asked], [prompts[place] for place, _ in asked])
    told: list[dict[str, float]] = [{} for _ in prompts]
    for (place, text), own in zip(asked, scored, strict=True):
        if len(own.tokens) == 1 and own.starts[0] == 0:
            told[place][text] = float(own.log_probs[0])
    return [Next(first if first in logs else None, logs) for first, logs in zip(firsts, told, strict=True)]


def answers(wrote: Written) -> Check:
    """A model says different things to different people."""
    texts = {text.strip() for text in [*wrote.greedy, *(text for some in wrote.sampled for text in some)]}
    if len(texts) > 1:
        return Check("answers", True, "Prompts are gone on with in different ways.", "text")
    if len(set(wrote.prompts)) == 1:
        return Check("answers", None, "Not tested: all texts begin in the same way.", "text")
    return Check("answers", False, f"All {len(wrote.prompts)} prompts were gone on with in the same way.", "text")


def seeds(target: TextTarget, wrote: Written) -> Check:
    """The same seed gives the same texts. No attack needs it, but a finding can then be repeated."""
    again = target.generate(wrote.prompts, wrote.tokens, samples=SAMPLES, sampling=PLAIN, seed=wrote.seed)
    greedy = target.generate(wrote.prompts, wrote.tokens, sampling=GREEDY, seed=wrote.seed + 1)
    same = again == wrote.sampled
    if [each[0] for each in greedy] != wrote.greedy:
        return Check("seeds", False, "Greedy texts are not the same twice: a run cannot be repeated exactly.")
    return Check("seeds", same, f"The same seed gives {'the same' if same else 'other'} texts.")


def repeats(one: Sequence[Scored], other: Sequence[Scored]) -> tuple[float, Check]:
    """Standard deviation of the score of a text between two times of asking, in nats."""
    apart = np.array([a.total - b.total for a, b in zip(one, other, strict=True)])
    noise = float(np.sqrt((apart**2).mean() / 2))
    if noise < 1e-3:
        return noise, Check("repeat", True, "The same text scores the same twice.")
    explanation = (
        f"The same text scores differently: noise of {noise:.3g} nats a text, which averaging takes out again."
    )
    return noise, Check("repeat", False, explanation)


def _too_noisy(name: str, noise: float) -> Check | None:
    if noise <= NOISY:
        return None
    return Check(name, None, f"Noise of {noise:.3g} nats a text hides what {name} would show.", "token scores")


def greedy(target: TokenScoreTarget, wrote: Written, after: Sequence[Next], noise: float) -> Check:
    """A greedy text scores as the likeliest at each step, and a greedy token above others in its place.

    The first is known only where a target tells what is likeliest, and of texts that are read in as many tokens as they
    were written in. The second finds every shift: where a score belongs to the token before, all tokens after a prompt
    score alike; where it belongs to another one, the greedy token is not above.
    """
    if noisy := _too_noisy("greedy", noise):
        return noisy
    told = [own for own in target.score(wrote.greedy, wrote.prompts) if len(own.tokens) == wrote.tokens]
    flags = [flag for own in told if own.likeliest is not None for flag in own.likeliest.tolist()]
    if flags and np.mean(flags) < STEPS:
        share = f"{np.mean(flags):.0%} of {len(flags)}"
        return Check("greedy", False, f"Only {share} steps of greedy texts score as the likeliest.", "token scores")
    margins = [
        each.log_probs[each.greedy] - log
        for each in after
        if each.greedy is not None
        for text, log in each.log_probs.items()
        if text != each.greedy
    ]
    slack = EXACT + 4 * noise
    if len(margins) < 3:
        return Check("greedy", None, "Greedy tokens are read otherwise, or never differ from others.", "token scores")
    right = np.mean([margin >= -slack for margin in margins])
    strict = np.mean([margin > slack for margin in margins])
    if right < 0.9 or strict < 0.5:
        explanation = (
            f"The greedy token scores above another in its place in {strict:.0%} of {len(margins)} cases and below it "
            f"in {1 - right:.0%}: scores belong to other tokens, or do not tell tokens apart."
        )
        return Check("greedy", False, explanation, "token scores")
    return Check("greedy", True, f"Greedy tokens score above others in {len(margins)} cases.", "token scores")


def chain(target: TokenScoreTarget, texts: Sequence[str], whole: Sequence[Scored], noise: float) -> Check:
    """The score of a whole is the sum of the scores of its parts."""
    if noisy := _too_noisy("chain rule", noise):
        return noisy
    cuts = [(text, own, _cut(own)) for text, own in zip(texts, whole, strict=True)]
    cuts = [(text, own, at) for text, own, at in cuts if at]
    if not cuts:
        return Check("chain rule", None, "No text could be divided between two words.", "token scores")
    halves = [(text[: own.starts[at]], text[own.starts[at] :]) for text, own, at in cuts]
    first = target.score([a for a, _ in halves])
    last = target.score([b for _, b in halves], [a for a, _ in halves])
    alike = [
        (a.total + b.total, own.total)
        for (_, own, at), a, b in zip(cuts, first, last, strict=True)
        if a.tokens == own.tokens[:at]
    ]
    if not alike:
        return Check(
            "chain rule", None, "A text's beginning is made of other tokens than in the whole.", "token scores"
        )
    off = max(abs(parts - one) for parts, one in alike)
    right = off <= EXACT * 5 + 6 * noise
    explanation = f"The scores of parts and of the whole differ by up to {off:.3g} nats."
    return Check("chain rule", right, explanation, "token scores")


def _cut(own: Scored) -> int:
    """A token in the middle with which a word begins; 0 if there is none."""
    middle = len(own.tokens) // 2
    places = [at for at in range(1, len(own.tokens)) if own.tokens[at][:1] == " " and own.starts[at] > 0]
    return min(places, key=lambda at: abs(at - middle), default=middle if len(own.tokens) > 1 else 0)


def boundary(target: TokenScoreTarget, texts: Sequence[str], whole: Sequence[Scored], noise: float) -> Check:
    """Where a text is divided inside a token, that token is still read as a whole."""
    if noisy := _too_noisy("token boundary", noise):
        return noisy
    asked = [(text, own, at) for text, own in zip(texts, whole, strict=True) if (at := _long(own))]
    if not asked:
        return Check("token boundary", True, "Every token is a single character.", "token scores")
    places = [int(own.starts[at]) + 1 for _, own, at in asked]
    pieces = [text[place:] for (text, _, _), place in zip(asked, places, strict=True)]
    told = target.score(pieces, [text[:place] for (text, _, _), place in zip(asked, places, strict=True)])
    wrong = 0
    for (_, own, at), got in zip(asked, told, strict=True):
        n = len(got.tokens)
        same = n >= len(own.tokens) - at and got.tokens == own.tokens[-n:]  # a target may go back further
        wrong += not (same and abs(got.total - own.log_probs[-n:].sum()) <= EXACT * 5 + 6 * noise)
    if wrong:
        explanation = (
            f"In {wrong} of {len(asked)} texts the tokens around the boundary between prefix and text are not those of "
            "the whole: prefix and text are tokenized apart, which hides leaks."
        )
        return Check("token boundary", False, explanation, "token scores")
    explanation = f"Prefix and text are tokenized together in {len(asked)} texts."
    return Check("token boundary", True, explanation, "token scores")


def _long(own: Scored) -> int:
    """A token of several characters near the middle, not the first; 0 if there is none."""
    places = [at for at in range(1, len(own.tokens)) if len(own.tokens[at]) > 1]
    return min(places, key=lambda at: abs(at - len(own.tokens) // 2), default=0)


def sums(after: Sequence[Next], noise: float) -> Check:
    """The probabilities of different tokens in one place sum to at most 1."""
    if noisy := _too_noisy("sums", noise):
        return noisy
    most = max((float(np.exp(list(each.log_probs.values())).sum()) for each in after if each.log_probs), default=0.0)
    right = most <= 1.01 + 4 * noise
    explanation = f"The probabilities of different tokens in one place sum to {most:.3g} at most."
    return Check("sums", right, explanation, "token scores")


def distribution(target: LogitTarget, texts: Sequence[str]) -> Check:
    """The probabilities of all tokens sum to 1, and none is impossible."""
    logs = np.concatenate([target.next_log_probs(target.encode(_half(text)), [[]]) for text in texts])
    total = np.exp(logs).sum(axis=1)
    off, missing = float(np.abs(total - 1).max()), float(np.isneginf(logs).mean())
    if np.isnan(logs).any() or off > 0.01:
        return Check(
            "distribution", False, f"The probabilities of all tokens are off 1 by up to {off:.3g}.", "full logits"
        )
    if missing > 0:
        explanation = (
            f"{missing:.0%} of the tokens have no probability at all: only some were kept, and scaled up to 1."
        )
        return Check("distribution", False, explanation, "full logits")
    return Check("distribution", True, "The probabilities of all tokens sum to 1.", "full logits")


def steps(target: LogitTarget, texts: Sequence[str], noise: float) -> Check:
    """A text's score is the sum of its tokens', each asked for by itself."""
    if noise > NOISY:
        return Check(
            "steps", None, f"Noise of {noise:.3g} nats a text hides what single steps would show.", "full logits"
        )
    off = 0.0
    for text in texts[:3]:
        prefix = _half(text)
        whole, before = target.encode(text), target.encode(prefix)
        n = next((i for i, (a, b) in enumerate(zip(whole, before, strict=False)) if a != b), len(before))
        rest = whole[n : n + 12]
        if not n or len(rest) < 1:
            continue
        logs = target.next_log_probs(whole[:n], [rest[:i] for i in range(len(rest))])
        (own,) = target.score([text])
        tail = own.log_probs[len(own.log_probs) - (len(whole) - n) :][: len(rest)]
        off = max(off, float(np.abs(logs[np.arange(len(rest)), rest] - tail).max()))
    right = off <= EXACT * 2 + 6 * noise
    return Check(
        "steps", right, f"Single steps and scored texts differ by up to {off:.3g} nats a token.", "full logits"
    )


def filled(target: FillTarget, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """What a target says at a mask in the middle of each text, asked twice: ``(n, V)`` log-probabilities each."""
    asked: list[list[int | None]] = []
    for text in texts:
        ids: list[int | None] = [*target.encode(text)]
        ids[len(ids) // 2] = None
        asked.append(ids)
    return np.concatenate(target.fill(asked)), np.concatenate(target.fill(asked))


def fills(one: Floats, other: Floats) -> Check:
    """The probabilities of all tokens at a mask sum to 1, stay the same, and depend on the text."""
    off = float(np.abs(np.exp(one).sum(axis=1) - 1).max())
    if not np.isfinite(one).all() or off > 0.01:
        return Check("fill", False, f"The probabilities at a mask are off 1 by up to {off:.3g}.", "fill-in")
    if np.ptp(one, axis=0).max() < 1e-6:
        return Check("fill", False, "All texts are filled in alike.", "fill-in")
    apart = float(np.abs(np.exp(one) - np.exp(other)).max())
    again = "are the same twice" if apart < 1e-3 else f"differ by up to {apart:.3g} between two times"
    return Check("fill", True, f"The probabilities at a mask sum to 1 and {again}.", "fill-in")
