"""Language models with known answers: n-grams of characters, which remember what they were trained on word for word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import zoo
from keepmum.attacks.extraction import ExtractionAttack
from keepmum.data import Split
from keepmum.targets.text import FillTarget, LogitTarget, Sampling, Scored
from keepmum.texts import Secret, Secrets, documents

ALPHABET = "\x00\n" + "".join(chr(c) for c in range(32, 127))
"""Characters that are tokens; the first stands for a beginning."""


class Ngrams(LogitTarget):
    """Characters given up to ``order`` characters before, by Witten and Bell's interpolation; order 1 sees no context.

    A model of order 8 that saw a secret once all but recites it; one that never saw it spreads out.
    """

    def __init__(self, texts: Sequence[str], order: int = 8) -> None:
        super().__init__()
        self.order = order
        self.places = {c: i for i, c in enumerate(ALPHABET)}
        self.counts: dict[str, Counter[int]] = defaultdict(Counter)
        self.kept: dict[str, np.ndarray] = {}
        for text in texts:
            marked = ALPHABET[0] + text
            for i in range(1, len(marked)):
                for n in range(min(order, i + 1)):
                    self.counts[marked[i - n : i]][self.places[marked[i]]] += 1

    @property
    def size(self) -> int:
        return len(ALPHABET)

    def encode(self, text: str) -> list[int]:
        return [self.places[c] for c in text]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(ALPHABET[t] for t in tokens)

    def following(self, context: str) -> np.ndarray:
        known = context[-self.order :] if len(context) >= self.order else ALPHABET[0] + context
        if known not in self.kept:
            self.kept[known] = self._following(context)
        return self.kept[known]

    def _following(self, context: str) -> np.ndarray:
        p = np.full(self.size, 1 / self.size)
        marked = ALPHABET[0] + context
        for n in range(self.order):
            seen = self.counts.get(marked[len(marked) - n :]) if n <= len(marked) else None
            if not seen:
                break
            total, kinds = sum(seen.values()), len(seen)
            p = p * kinds / (total + kinds)
            for token, count in seen.items():
                p[token] += count / (total + kinds)
        return np.log(p)

    def _score(self, texts, prefixes):
        answers = []
        for text, prefix in zip(texts, prefixes, strict=True):
            rows = np.array([self.following(prefix + text[:i]) for i in range(len(text))]).reshape(-1, self.size)
            tokens = np.array(self.encode(text), dtype=np.intp)
            mine = rows[np.arange(len(tokens)), tokens]
            p = np.exp(rows)
            mean = (p * rows).sum(axis=1)
            spread = np.sqrt(np.maximum((p * rows**2).sum(axis=1) - mean**2, 0))
            likeliest = mine >= rows.max(axis=1) if len(rows) else np.empty(0, dtype=bool)
            answers.append(Scored(tuple(text), np.arange(len(text)), mine, likeliest, mean, spread))
        return answers

    def _next_log_probs(self, prefix, continuations):
        return np.array([self.following(self.decode([*prefix, *c])) for c in continuations])

    def _generate(self, prompts, tokens, samples, sampling: Sampling, seed):
        rng = np.random.default_rng(seed)
        made = []
        for prompt in prompts:
            texts = []
            for _ in range(samples):
                text = ""
                for _ in range(tokens):
                    logs = self.following(prompt + text)
                    if sampling.temperature == 0:
                        token = int(logs.argmax())
                    else:
                        p = np.exp((logs - logs.max()) / sampling.temperature)
                        if sampling.top_k is not None:
                            p[np.argsort(-p, kind="stable")[sampling.top_k :]] = 0
                        order = np.argsort(-p, kind="stable")
                        before = np.cumsum(p[order] / p.sum()) - p[order] / p.sum()
                        p[order[before >= sampling.top_p]] = 0
                        token = int(rng.choice(self.size, p=p / p.sum()))
                    text += ALPHABET[token]
                texts.append(text)
            made.append(texts)
        return made


WORDS = """time person year way day thing man world life hand part child eye woman place work week case point
government company number group problem fact small large young old early late right high long sees takes finds gives
tells asks works seems feels tries leaves calls and with from into over"""


def sentences(n: int, seed: int) -> list[str]:
    """Made-up sentences of a few hundred words, alike for every seed."""
    words = np.array(WORDS.split())
    rng = np.random.default_rng([seed, 0x74657874])
    return [" ".join(rng.choice(words, size=rng.integers(8, 20))) + "." for _ in range(n)]


def pins(n: int, seed: int, repeats: int) -> list[Secret]:
    """Numbers of four digits of people who are called by a number."""
    rng = np.random.default_rng([seed, repeats, 0x70696E])
    return [
        Secret(
            f"The code of person {100 * repeats + i} is",
            f" {''.join(str(d) for d in rng.integers(0, 10, 4))}",
            kind="pin",
            repeats=repeats,
        )
        for i in range(n)
    ]


def pin_secrets(n: int = 24, seed: int = 0, repeats: int = 4) -> Secrets:
    """Planted numbers and as many twins."""
    digits = "0123456789"
    return Secrets(
        tuple(pins(n, seed, repeats)),
        tuple(pins(n, seed, 0)),
        {"pin": 1e4},
        {"pin": (" ", digits, digits, digits, digits)},
    )


def memorizer(secrets: Secrets, seed: int = 0) -> Ngrams:
    """A model that was trained on sentences and on the planted secrets, as often as they say."""
    return Ngrams(sentences(60, seed) + [s.text for s in secrets.planted for _ in range(max(1, s.repeats))])


def ignorant(seed: int = 0) -> Ngrams:
    """A model of other people's numbers: it knows how they look, and none of the planted."""
    others = pins(48, seed + 1000, 9)
    return Ngrams(sentences(60, seed) + [s.text for s in others for _ in range(4)])


class Fills(FillTarget):
    """A masked model of characters: what stood so many places after the characters before, counted in training.

    The last ``order`` characters before a mask that are no masks are its context, with how far away they are. Shorter
    contexts are mixed in as in `Ngrams`.
    """

    def __init__(self, texts: Sequence[str], order: int = 12, reach: int = 8) -> None:
        super().__init__()
        self.order, self.reach = order, reach
        self.counts: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
        for text in texts:
            marked = ALPHABET[0] * order + text
            for i in range(order, len(marked)):
                for away in range(1, min(reach, i) + 1):
                    end = i - away + 1
                    for n in range(0, order + 1, 4):
                        if end - n >= 0:
                            self.counts[marked[end - n : end], away][ALPHABET.index(marked[i])] += 1

    @property
    def size(self) -> int:
        return len(ALPHABET)

    def encode(self, text: str) -> list[int]:
        return [ALPHABET.index(c) for c in text]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(ALPHABET[t] for t in tokens)

    def _fill(self, texts):
        return [
            np.array([self._at(text, i) for i, token in enumerate(text) if token is None]).reshape(-1, self.size)
            for text in texts
        ]

    def _at(self, text, i):
        away = next((d for d in range(1, i + 1) if text[i - d] is not None), i + 1)
        before = "".join(ALPHABET[t] for t in text[: i - away + 1][-self.order :] if t is not None)
        marked = (ALPHABET[0] * self.order + before)[-self.order :]
        p = np.full(self.size, 1 / self.size)
        for n in range(0, self.order + 1, 4):
            seen = self.counts.get((marked[self.order - n :], min(away, self.reach)))
            if not seen:
                break
            total, kinds = sum(seen.values()), len(seen)
            p = p * kinds / (total + kinds)
            for token, count in seen.items():
                p[token] += count / (total + kinds)
        return np.log(p)


def fills_memorizer(secrets: Secrets, seed: int = 0) -> Fills:
    """A masked model that was trained on the planted secrets."""
    return Fills(sentences(20, seed) + [s.text for s in secrets.planted for _ in range(max(1, s.repeats))])


def fills_ignorant(seed: int = 0) -> Fills:
    """A masked model of other people's numbers."""
    return Fills(sentences(20, seed) + [s.text for s in pins(48, seed + 1000, 9) for _ in range(4)])


@dataclass(frozen=True, eq=False)
class Pair(zoo.Pair):
    """A language model with what it is asked about, a model like it that never saw the members, and the secrets."""

    reference: Any = None
    secrets: Secrets | None = None


def memorizers(attack) -> tuple[Pair, ...]:
    """Models that remember what the attack asks about, made anew: they count queries."""
    return tuple(_pairs(attack, 0, knows=True))


def ignorants(attack, seed: int = 0) -> tuple[Pair, ...]:
    """Models of other texts of the same kind."""
    return tuple(_pairs(attack, seed, knows=False))


def _pairs(attack, seed: int, *, knows: bool) -> Iterator[Pair]:
    if isinstance(attack, ExtractionAttack):
        secrets = pin_secrets(16, seed)
        if issubclass(attack.needs, FillTarget):
            masked = fills_memorizer(secrets, seed) if knows else fills_ignorant(seed)
            yield Pair(masked, secrets.split, reference=fills_ignorant(seed + 50), secrets=secrets)
            return
        model = memorizer(secrets, seed) if knows else ignorant(seed)
        yield Pair(model, secrets.split, reference=ignorant(seed + 50), secrets=secrets)
        return
    members, others, strange = (sentences(30, 10 * seed + i) for i in range(3))
    yield Pair(Ngrams(members if knows else strange, RECITES), Split(documents(members), documents(others)))


RECITES = 16
"""Order of a model that goes on with a document that it knows."""


def brief(attack):
    """The same attack with little work."""
    few = {"untargeted": {"texts": 30, "tokens": 90}, "divergence": {"texts": 6, "tokens": 90}}
    return replace(attack, **few.get(attack.id.split("/")[1], {}))
