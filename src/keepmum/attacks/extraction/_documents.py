"""The game of whole documents: texts are drawn without a secret in mind, and held against what was trained on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context, Ledger
from keepmum.attacks.extraction._measure import FEWEST, LEVEL, fisher_p_value
from keepmum.attacks.extraction._shingles import WIDTH, Shingles, longest, plain
from keepmum.data import Records, Split
from keepmum.errors import ConfigError
from keepmum.findings import EXTRACTABLE, MEMORIZED, NO_EVIDENCE, Finding, Outcome
from keepmum.stats import Estimate
from keepmum.stats.intervals import clopper_pearson
from keepmum.stats.null import membership_p_value
from keepmum.targets.text import TextTarget
from keepmum.texts import are_documents

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class DocumentExtraction(Attack[TextTarget]):
    """Does the model recite its documents unasked? The control is as many documents that it was not trained on.

    A piece that stands in documents of both sides (a license, a form letter) counts for neither.

    Attributes:
      width: Characters that count as recited, white space as one blank.
    """

    width: int = WIDTH

    def __post_init__(self) -> None:
        if self.width < 8:
            raise ConfigError(f"expected a width of at least 8 characters, got {self.width}")

    def unsuited(self, records: Records) -> str | None:
        """Why the records are no documents, or None."""
        return None if are_documents(records) else "needs documents: one text a record"

    @abstractmethod
    def draw(self, target: TextTarget, texts: Sequence[str], ctx: Context) -> list[str]:
        """Texts that the model makes; ``texts`` are documents of both sides, mixed, to begin with some."""

    @final
    def run(self, target: TextTarget, data: Split, ctx: Context) -> Finding:
        """Draw, and look for pieces of documents of both sides in what came out."""
        before = target.queries
        size = min(len(data.members), len(data.nonmembers))
        rng = np.random.default_rng([ctx.seed, 0x646F6373])
        ours, theirs = (side.take(rng.permutation(len(side))[:size]) for side in (data.members, data.nonmembers))
        records, trained_on = Split(ours, theirs).mixed(ctx.seed)
        texts = [plain(str(text)) for text in records.X]
        drawn = [plain(text) for text in self.draw(target, [str(text) for text in records.X], ctx)]
        found = match(texts, trained_on, drawn, self.width)
        if records.ids is not None:
            ctx.ledger[self.name] = Ledger(records.ids, trained_on, found.lengths.astype(np.float64))
        if any(found.pieces):
            ctx.evidence[self.name] = found.pieces
        return judge(self, found, trained_on, len(drawn), target.queries - before)


@dataclass(frozen=True, eq=False)
class Matches:
    """What of each document came out.

    Attributes:
      lengths: ``(n,)`` characters of the longest piece of each document; 0 if it is shorter than a window.
      pieces: That piece of each, or nothing.
      holding: Drawn texts that hold a piece of the documents trained on, and of the others.
    """

    lengths: NDArray[np.intp]
    pieces: tuple[str, ...]
    holding: tuple[int, int]


def match(texts: Sequence[str], trained_on: Flags, drawn: Sequence[str], width: int) -> Matches:
    """Hold documents against drawn texts.

    The drawn texts are indexed, since they are few; documents pass by one after another, so that memory does not grow
    with the training data.
    """
    index = Shingles(drawn, width)
    hits = [index.hits(text) for text in texts]
    windows = [
        {texts[i][j : j + width] for i in np.flatnonzero(side).tolist() for j in np.unique(hits[i].here).tolist()}
        for side in (trained_on, ~trained_on)
    ]
    common = windows[0] & windows[1]
    lengths, pieces = np.zeros(len(texts), dtype=np.intp), [""] * len(texts)
    holding: tuple[set[int], set[int]] = (set(), set())
    for i, (text, hit) in enumerate(zip(texts, hits, strict=True)):
        own = np.array([text[j : j + width] not in common for j in hit.here.tolist()], dtype=bool)
        hit = type(hit)(hit.here[own], hit.text[own], hit.there[own])
        start, length = longest(hit, width)
        lengths[i], pieces[i] = length, text[start : start + length]
        holding[0 if trained_on[i] else 1].update(hit.text.tolist())
    return Matches(lengths, tuple(pieces), (len(holding[0]), len(holding[1])))


def judge(attack: DocumentExtraction, found: Matches, trained_on: Flags, drawn: int, queries: int) -> Finding:
    """Documents that came out against those of the control: Fisher's exact test, and ranks of the longest pieces."""
    out = found.lengths > 0
    exact = fisher_p_value(out, trained_on)
    ranked = membership_p_value(*(found.lengths[side].astype(np.float64) for side in (trained_on, ~trained_on)))
    p_value = min(1.0, 2 * min(exact, ranked))
    verdict = NO_EVIDENCE
    if p_value <= LEVEL:
        verdict = EXTRACTABLE if exact <= LEVEL / 2 else MEMORIZED
    size = int(trained_on.sum())
    few = size < FEWEST
    metrics, control = (_side(found, side, drawn, i) for i, side in enumerate((trained_on, ~trained_on)))
    ours, theirs = int(out[trained_on].sum()), int(out[~trained_on].sum())
    return Finding(
        id=attack.name,
        family=attack.family,
        outcome=Outcome.INCONCLUSIVE if few else Outcome.LEAK if p_value <= LEVEL else Outcome.NO_LEAK_FOUND,
        access=attack.access,
        queries=queries,
        metrics=metrics,
        control=control,
        p_value=p_value,
        explanation=(
            f"Of {drawn:,} texts that the model made, {found.holding[0]:,} hold {attack.width} characters or more of "
            f"documents that it was trained on, and {found.holding[1]:,} of as many others: pieces of {ours:,} of "
            f"{size:,} documents came out, {theirs:,} of {size:,} of the others. Pieces that both have are left out."
        ),
        reason=f"too few documents: at least {FEWEST} of each side are needed" if few else "",
        references=attack.references,
        verdict="" if few else verdict,
    )


def _side(found: Matches, side: Flags, drawn: int, which: int) -> dict[str, Estimate]:
    longest_piece = float(found.lengths[side].max())
    return {
        "extracted": clopper_pearson(int((found.lengths[side] > 0).sum()), int(side.sum())),
        "share_of_texts": clopper_pearson(found.holding[which], max(1, drawn)),
        "longest_piece": Estimate(longest_piece, longest_piece, longest_piece),
    }
