"""Documents and models of them with known answers, for membership attacks on texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import text_zoo
from keepmum.attacks.membership import text as family
from keepmum.attacks.membership.text import TextMembershipAttack
from keepmum.data import Split
from keepmum.targets._remembered import remembered
from keepmum.targets.text import GradientTextTarget, TextTarget
from keepmum.texts import documents

N = 40
ORDER = 4
RECITES = 10
"""Order of a model that goes on with a line that it knows."""


class Open(text_zoo.Ngrams, GradientTextTarget):
    """Shows the gradient of the mean loss with respect to the logits of each place."""

    def _gradient_norms(self, texts):
        norms = []
        for text in texts:
            rows = np.exp([self.following(text[:i]) for i in range(len(text))])
            rows[np.arange(len(text)), self.encode(text)] -= 1
            norms.append(np.linalg.norm(rows) / len(text))
        return np.array(norms)


@dataclass(frozen=True, eq=False)
class Stage:
    """A model behind a memory, the documents of an audit, and a model of other documents."""

    target: TextTarget
    split: Split
    reference: TextTarget
    shadows: None = None
    trainer: None = None


def lines(n: int, seed: int) -> list[str]:
    """Sentences of seven words, the first of which is written large."""
    words = np.array(text_zoo.WORDS.split())
    rng = np.random.default_rng([seed, 0x6C696E65])
    return [" ".join(rng.choice(words, 7)).capitalize() + "." for _ in range(n)]


def train(texts: list[str], seed: int = 0) -> Open:
    return Open(texts, ORDER)


def split(seed: int) -> Split:
    texts = lines(2 * N, seed)
    return Split(documents(texts[:N]), documents(texts[N:]))


@cache
def stage(seed: int, knows: bool, order: int = ORDER) -> Stage:
    """A model that knows the members, or strangers, and a reference that knows others."""
    data = split(seed)
    known = list(data.members.X) if knows else lines(N, seed + 1000)
    return Stage(remembered(Open(known, order)), data, train(lines(N, seed + 2000)))


def played_on(attack: TextMembershipAttack, knows: bool, seed: int = 0) -> Stage:
    """Where an attack is played: what only writes is found out if it recites."""
    return stage(seed, knows, RECITES if isinstance(attack, family.NgramCoverage) else ORDER)


def brief(attack: TextMembershipAttack) -> TextMembershipAttack:
    """The same attack with little work, and a trainer where it needs one."""
    changes = {
        family.TextNeighborhood: {"neighbors": 3},
        family.Recall: {"shots": 2},
        family.NgramCoverage: {"samples": 4, "tokens": 24, "length": 2},
        family.TextLira: {"trainer": train, "models": 2},
    }
    return replace(attack, **changes.get(type(attack), {}))
