"""The game of secrets: planted against twins, with a technique as simple as can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import fisher_exact

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import (
    Exposure,
    ExtractionAttack,
    Greedy,
    NPDiscoverable,
    PIIInference,
    Sampled,
    _measure,
)
from keepmum.attacks.extraction._base import Seen
from keepmum.attacks.extraction._measure import fisher_p_value, guessed_p_value, judge
from keepmum.attacks.extraction._shared import fitting
from keepmum.canaries import make
from keepmum.errors import DataError
from keepmum.findings import EXTRACTABLE, NO_EVIDENCE, Outcome
from keepmum.targets.text import GREEDY, TokenScoreTarget
from keepmum.texts import Secret, Secrets, secrets_of


@dataclass(frozen=True)
class Plain(ExtractionAttack):
    id: ClassVar[str] = "extraction/plain"
    needs: ClassVar[type] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("none",)

    def extract(self, target, secrets, ctx):
        assert {secret.repeats for secret in secrets} == {0}, "nobody tells an attack which are planted"
        made = target.generate([s.prefix for s in secrets], 8, sampling=GREEDY)
        out = np.array([m[0].startswith(s.secret) for m, s in zip(made, secrets, strict=True)])
        scored = target.score([s.secret for s in secrets], [s.prefix for s in secrets])
        return Seen(np.array([each.total for each in scored]), out)


def test_a_model_that_recites_is_found_and_a_stranger_is_silent():
    secrets = text_zoo.pin_secrets()
    found = Plain().run(text_zoo.memorizer(secrets), secrets.split, Context(secrets=secrets))
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.control["extracted"].value == 0
    assert found.baseline["extracted"].value == pytest.approx(1e-4)
    assert found.queries == 2 * 48
    silent = Plain().run(text_zoo.ignorant(), secrets.split, Context(secrets=secrets))
    assert (silent.outcome, silent.verdict) == (Outcome.NO_LEAK_FOUND, NO_EVIDENCE)


def test_more_repeats_are_reported_apart():
    few, many = text_zoo.pin_secrets(12, repeats=1), text_zoo.pin_secrets(12, seed=5, repeats=16)
    secrets = Secrets((*few.planted, *many.planted), many.twins)
    found = Plain().run(text_zoo.memorizer(secrets), secrets.split, Context())
    assert [s.value for s in found.slices if s.column == "repeats"] == ["1", "16"]


@pytest.mark.parametrize("counts", [(5, 0, 12, 12), (3, 2, 8, 20), (0, 0, 5, 5), (4, 4, 4, 4)])
def test_fisher_is_scipys(counts):
    out_planted, out_twins, planted, twins = counts
    flags = np.r_[np.ones(planted, dtype=bool), np.zeros(twins, dtype=bool)]
    out = np.r_[np.arange(planted) < out_planted, np.arange(twins) < out_twins]
    table = [[out_planted, planted - out_planted], [out_twins, twins - out_twins]]
    assert fisher_p_value(out, flags) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_secrets_survive_the_way_through_records():
    secrets = text_zoo.pin_secrets(3)
    assert tuple(secrets_of(secrets.split.members)) == secrets.planted


def test_secrets_without_twins_or_twins_that_stand_in_the_data_are_refused():
    one = Secret("The code is", " 1234")
    with pytest.raises(DataError, match="without twins"):
        Secrets((one,), ())
    with pytest.raises(DataError, match="both planted and twins"):
        Secrets((one,), (one,))


def test_of_a_context_too_long_to_read_its_end_is_given():
    """One long letter must not keep an attack from all other secrets, and nothing is cut silently."""
    pytest.importorskip("transformers")
    from text_tiny import CONTEXT, causal

    secrets, letter = text_zoo.pin_secrets(5), " ".join(text_zoo.sentences(9, 3))
    sides = [
        (replace(side[0], prefix=f"{letter} {side[0].prefix}", suffix=f" {letter}"), *side[1:])
        for side in (secrets.planted, secrets.twins)
    ]
    long = replace(secrets, planted=sides[0], twins=sides[1])
    target = causal()
    assert len(target.encode(letter)) > CONTEXT
    for attack in (
        Greedy(),
        NPDiscoverable(),
        PIIInference(decoys=3),
        Sampled(samples=2),
        Exposure(others=15, exact=0),
    ):
        found = attack.run(target, long.split, Context(secrets=long, attack=attack.name))
        assert "what stands around 2 secrets only as much was given as the model can read" in found.explanation
        whole = attack.run(target, secrets.split, Context(secrets=secrets, attack=attack.name))
        assert "as much was given" not in whole.explanation
    short = fitting(target, sides[0][0])
    assert (short.secret, short.kind) == (sides[0][0].secret, "pin")
    assert sides[0][0].prefix.endswith(short.prefix)
    assert sides[0][0].suffix.startswith(short.suffix)
    assert short.prefix.endswith(secrets.planted[0].prefix)
    assert CONTEXT // 2 < len(target.encode(short.text)) <= CONTEXT
    assert fitting(target, secrets.planted[0]) is secrets.planted[0]


def written(scores: np.ndarray, out: np.ndarray, *, verbatim: bool = True) -> Seen:
    return Seen(scores, out, verbatim=verbatim)


def test_a_single_key_that_came_out_word_for_word_is_no_chance():
    canaries = make(("pin", "key"), (1,), 12, 0).secrets
    secrets = (*canaries.planted, *canaries.twins)
    planted = np.arange(len(secrets)) < len(canaries.planted)
    keys = np.array([secret.kind == "key" for secret in secrets])
    ctx, flat = Context(secrets=canaries), np.zeros(len(secrets))

    def judged(out, *, verbatim=True, ctx=ctx):
        return judge(Plain(), secrets, planted, written(flat, out, verbatim=verbatim), ctx, 0)

    one = np.zeros(len(secrets), dtype=bool)
    one[np.flatnonzero(planted & keys)[0]] = True
    found = judged(one)
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.p_value < 1e-9
    pin = np.zeros(len(secrets), dtype=bool)
    pin[np.flatnonzero(planted & ~keys)[0]] = True
    assert judged(pin).outcome is Outcome.NO_LEAK_FOUND, "a PIN is guessed now and then"
    assert judged(one, verbatim=False).outcome is Outcome.NO_LEAK_FOUND, "the first of some decoys by chance"
    assert judged(one, ctx=Context()).outcome is Outcome.NO_LEAK_FOUND, "nothing tells how many keys there could be"
    twin = np.zeros(len(secrets), dtype=bool)
    twin[np.flatnonzero(~planted & keys)[0]] = True
    assert judged(twin).outcome is Outcome.NO_LEAK_FOUND


def test_the_look_at_guesses_holds_its_level(monkeypatch):
    monkeypatch.setattr(_measure, "TELLING", 50)
    monkeypatch.setattr(_measure, "GUESSES", 3)
    canaries = replace(make(("key",), (1,), 12, 0).secrets, spaces={"key": 60.0})
    secrets = (*canaries.planted, *canaries.twins)
    planted = np.arange(24) < 12
    rng = np.random.default_rng(1)
    values = []
    for _ in range(20_000):
        out = rng.random(24) < 3 / 60  # three different guesses among sixty
        seen = written(np.zeros(24), out)
        values.append(guessed_p_value(secrets, planted, seen, Context(secrets=canaries)))
    for level in (0.3, 0.05, 0.01, 0.001):
        assert np.mean(np.array(values) <= level) <= level + 3 * np.sqrt(level / len(values))
    assert np.mean(np.array(values) <= 0.3) > 0.05
