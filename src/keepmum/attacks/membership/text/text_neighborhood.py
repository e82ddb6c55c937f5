"""Membership inference for documents by comparison with texts that differ in a few words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._query import QueryAttack
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.attacks.membership.text.text_loss import mean
from keepmum.errors import ConfigError
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class TextNeighborhood(TextMembershipAttack[TokenScoreTarget], QueryAttack[TokenScoreTarget]):
    """Neighborhood comparison.

    Is it the text that the model finds likely, or any text like it? Some words are replaced, several times over. A
    document that the model finds more likely than its neighbors is called a member.

    The paper's neighbors are written by a masked language model, so that they read well. Here words are replaced by
    words drawn from all documents asked about, without a model; where there are not two words, a character by another.

    Attributes:
      neighbors: Texts made of each.
      share: Share of the words that are replaced, at least one.

    Raises:
      ConfigError: A number out of range.

    References:
      Mattern, Mireshghallah, Jin, Schölkopf, Sachan, Berg-Kirkpatrick. Membership Inference Attacks against Language
      Models via Neighbourhood Comparison. Findings of ACL 2023, arXiv:2305.18462.
    """

    id: ClassVar[str] = "membership/text-neighborhood"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2305.18462",)

    neighbors: int = 8
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.neighbors < 1 or not 0 < self.share <= 1:
            raise ConfigError(
                f"expected at least 1 neighbor and a share above 0 and up to 1, got {self.neighbors} and {self.share}"
            )

    @property
    def per_record(self) -> int:
        """The text and its neighbors."""
        return 1 + self.neighbors

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Mean log-probability of the tokens, less that of the neighbors, in nats."""
        words = sorted({word for text in texts for word in re.findall(r"\S+", text)})
        own, total = each(read(target, texts), mean), np.zeros(len(texts))
        for _ in range(self.neighbors):
            changed = [neighbor(text, words, self.share, ctx.rng) for text in texts]
            total += own - each(read(target, changed), mean)
        return total / self.neighbors


def neighbor(text: str, words: Sequence[str], share: float, rng: np.random.Generator) -> str:
    """A text with a share of its words, at least one, replaced by others; white space stays.

    A text of fewer than two words has a character replaced; an empty one stays.
    """
    parts = re.split(r"(\S+)", text)
    places = range(1, len(parts), 2)
    if len(places) < 2:
        return swapped(text, words, rng)
    for place in rng.permutation(places)[: max(1, round(share * len(places)))].tolist():
        others = [word for word in rng.choice(np.array(words, dtype=object), 4) if word != parts[place]]
        parts[place] = others[0] if others else parts[place]
    return "".join(parts)


def swapped(text: str, words: Sequence[str], rng: np.random.Generator) -> str:
    """A text with one character replaced by another that occurs in some words."""
    known = sorted(set("".join(words)) - {" "})
    places = [place for place, character in enumerate(text) if not character.isspace()]
    if not places or len(known) < 2:
        return text
    place = int(rng.choice(places))
    other = str(rng.choice([character for character in known if character != text[place]]))
    return text[:place] + other + text[place + 1 :]
