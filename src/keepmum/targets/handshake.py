"""Before a score is believed: does the model say of texts what it does itself?

Interfaces are known to report log-probabilities shifted by one token, to tokenize prompt and continuation apart (which
hides leaks completely), and to add noise. Each of these lets a model that recites look like one that never saw a thing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.errors import DataError, NotApplicableError, TargetError
from keepmum.targets import _checks
from keepmum.targets._base import Floats, Target
from keepmum.targets._checks import LADDER, Check
from keepmum.targets.text import FillTarget, LogitTarget, Sampling, Scored, TextTarget, TokenScoreTarget

PROBES = (
    "The meeting was moved to the afternoon because the large hall was not free in the morning.",
    "She opened the letter slowly, read it twice, and put it back into the drawer without a word.",
    "In the north of the country winters are long, and the lakes stay frozen until the middle of April.",
    "Our company was founded in a small town and now employs more than two hundred people.",
    "He asked the doctor whether the medicine should be taken before or after the evening meal.",
    "The train to the coast leaves every hour and takes about forty minutes from the central station.",
)
"""Plain sentences; a model of something else than English is better given some of its own."""


@dataclass(frozen=True)
class Handshake:
    """What can be believed of a target.

    Attributes:
      access: The highest access whose checks did not fail; ``"none"`` if even texts mean nothing.
      checks: All checks that were made, in order.
      noise: Standard deviation of the score of one text between two times of asking, in nats; 0 for a model that
        repeats itself, or that cannot be asked for scores.
      voice: Fingerprint of what the target says the same twice of the probes; that of another model is another.
    """

    access: str
    checks: tuple[Check, ...]
    noise: float = 0.0
    voice: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the checks that failed found, one sentence each."""
        return tuple(check.explanation for check in self.checks if check.passed is False)


def handshake(
    target: TextTarget | FillTarget, probes: Sequence[str] = PROBES, seed: int = 0, *, tokens: int = 8
) -> Handshake:
    """Ask a target about what can be checked, before anything that it says is taken for evidence.

    It takes some 200 queries with the probes that come with it. A check that fails takes away the access that it
    vouches for; seeds that are not kept and noise are noted, and take nothing away.

    Args:
      target: The target.
      probes: Ordinary texts of the model's kind, of which the training data says nothing: at least two.
      seed: Of what is drawn.
      tokens: Length of the texts that are generated.

    Raises:
      DataError: Fewer than two probes.
    """
    texts = [probe for probe in dict.fromkeys(probes) if len(probe.split()) >= 4 or len(probe) >= 24]
    if len(texts) < 2:
        raise DataError(f"expected at least two probes of four words or more, got {len(texts)}")
    if isinstance(target, FillTarget):
        told: list[Floats] = []
        check = _tried("fill", "fill-in", lambda: _checks.fills(*_kept(told, _checks.filled(target, texts))))
        return Handshake("none" if check.passed is False else target.access, (check,), 0.0, _voice([], told))
    made: list[Check] = []
    wrote = _checks.written(target, texts, tokens, seed)
    made.append(_checks.answers(wrote))
    made.append(_checks.seeds(target, wrote))
    words = [*wrote.greedy, *(text for some in wrote.sampled for text in some)] if made[1].passed else []
    noise, scores = 0.0, list[Scored]()
    if isinstance(target, TokenScoreTarget) and made[0].passed is not False:
        noise, scores, more = _of_scores(target, texts, wrote)
        made += more
    if isinstance(target, LogitTarget) and made[0].passed is not False:
        made.append(_tried("distribution", "full logits", lambda: _checks.distribution(target, texts)))
        made.append(_tried("steps", "full logits", lambda: _checks.steps(target, texts, noise)))
    voice = _voice(words, [each.log_probs for each in scores] if not noise else [])
    return Handshake(_left(target.access, made), tuple(made), noise, voice)


def _kept(told: list[Floats], answers: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    told.append(answers[0])
    return answers


def _voice(words: Sequence[str], told: Sequence[Floats]) -> str:
    """Words and numbers as a fingerprint; numbers to a thousandth, since machines add in different orders."""
    seen = hashlib.sha256(json.dumps(list(words)).encode())
    for numbers in told:
        seen.update((np.round(numbers, 3) + 0.0).tobytes())
    return seen.hexdigest()


def _of_scores(
    target: TokenScoreTarget, texts: list[str], wrote: _checks.Written
) -> tuple[float, list[Scored], list[Check]]:
    """Noise, the scores of the probes, and the checks that vouch for token scores."""
    guarded = "token scores"
    try:
        scores = target.score(texts), target.score(texts)
        after = _checks.nexts(target, texts, wrote.seed)
    except (TargetError, NotApplicableError, DataError) as err:
        return 0.0, [], [Check("scores", False, f"No text was scored: {err}.", guarded)]
    noise, repeated = _checks.repeats(*scores)
    whole = scores[0]
    return (
        noise,
        whole,
        [
            repeated,
            _tried("greedy", guarded, lambda: _checks.greedy(target, wrote, after, noise)),
            _tried("chain rule", guarded, lambda: _checks.chain(target, texts, whole, noise)),
            _tried("token boundary", guarded, lambda: _checks.boundary(target, texts, whole, noise)),
            _tried("sums", guarded, lambda: _checks.sums(after, noise)),
        ],
    )


def _tried(name: str, guards: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (TargetError, NotApplicableError, DataError) as err:
        return Check(name, False, f"The check of {name} could not be made: {err}.", guards)


def _left(access: str, checks: Sequence[Check]) -> str:
    """The highest rung up to the target's own that no failed check takes away."""
    failed = [LADDER.index(check.guards) for check in checks if check.passed is False and check.guards]
    return LADDER[min([LADDER.index(access), *(rung - 1 for rung in failed)])]


class BelievedText(TextTarget):
    """A target of which only the texts are believed.

    Args:
      target: The target.
      notes: Why.
    """

    def __init__(self, target: TextTarget, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self._target = target
        self.notes = [*target.notes, *notes]

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        return self._target.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)


class BelievedScores(TokenScoreTarget):
    """A target of which texts and the scores of given texts are believed, and no more.

    Args:
      target: The target.
      notes: Why.
    """

    def __init__(self, target: TokenScoreTarget, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self._target = target
        self.notes = [*target.notes, *notes]

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        return self._target.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)

    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]:
        return self._target.score(texts, prefixes)


class Disbelieved(Target):
    """A target of which nothing is believed: no attack on texts can be played.

    Args:
      target: The target.
      notes: Why.
    """

    access: ClassVar[str] = "none"

    def __init__(self, target: Target, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self.notes = [*target.notes, *notes]


def believed(target: TextTarget | FillTarget, shaken: Handshake) -> Target:
    """The target as far as it is believed: itself, or a weaker one that notes why.

    Attacks that need more than is left become not applicable.
    """
    if shaken.access == target.access:
        return target
    notes = [f"The handshake lowered the access from {target.access} to {shaken.access}.", *shaken.reasons]
    if shaken.access == "token scores" and isinstance(target, TokenScoreTarget):
        return BelievedScores(target, notes)
    if shaken.access == "text" and isinstance(target, TextTarget):
        return BelievedText(target, notes)
    return target if shaken.access == "full logits" else Disbelieved(target, notes)
