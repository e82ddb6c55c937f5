"""Secrets among candidates: given, sampled from the model, or behind masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import text_zoo
from keepmum import canaries
from keepmum.attacks import Context
from keepmum.attacks.extraction import (
    MaskBestFirst,
    MaskOneShot,
    MaskPseudoLogLikelihood,
    PIIInference,
    PIIReconstruction,
)
from keepmum.attacks.extraction._candidates import bits, candidates, is_first, standing
from keepmum.attacks.extraction._masks import Gap, gap
from keepmum.attacks.extraction.pii_reconstruction import _piece
from keepmum.detectors import find
from keepmum.errors import ConfigError
from keepmum.findings import EXTRACTABLE, Outcome
from keepmum.targets.text import FillTarget
from keepmum.texts import Secret, Secrets

SCORED = [PIIInference(decoys=7), PIIReconstruction(samples=4)]
MASKS = [MaskOneShot(decoys=7), MaskBestFirst(decoys=7), MaskPseudoLogLikelihood(decoys=7)]


def memorizer(attack, secrets):
    return text_zoo.fills_memorizer(secrets) if attack in MASKS else text_zoo.memorizer(secrets)


def ignorant(attack, seed):
    return text_zoo.fills_ignorant(seed) if attack in MASKS else text_zoo.ignorant(seed)


@pytest.mark.parametrize("attack", [*SCORED, *MASKS], ids=lambda a: a.name)
def test_loud_on_a_model_that_memorized(attack):
    secrets = text_zoo.pin_secrets(16)
    found = attack.run(memorizer(attack, secrets), secrets.split, Context(secrets=secrets, attack=attack.name))
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.metrics["auc"].value > 0.9
    assert found.metrics["extracted"].value > 0.8
    assert found.control["extracted"].value < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("attack", [*SCORED, *MASKS], ids=lambda a: a.name)
def test_silent_on_a_stranger(attack):
    leaks = 0
    for seed in range(6):
        secrets = text_zoo.pin_secrets(12, seed=seed)
        ctx = Context(seed=seed, secrets=secrets, attack=attack.name)
        leaks += attack.run(ignorant(attack, seed), secrets.split, ctx).outcome is Outcome.LEAK
    assert leaks <= 1


def test_exact_counts_of_queries():
    secrets = text_zoo.pin_secrets(4)
    ctx = Context(secrets=secrets)
    assert PIIInference(decoys=7).run(text_zoo.memorizer(secrets), secrets.split, ctx).queries == 8 * 8
    # All candidates have five tokens: one masked text a place, own and swapped, and one for the fill.
    assert MaskOneShot(decoys=7).run(text_zoo.fills_memorizer(secrets), secrets.split, ctx).queries == 3 * 8
    # Of the five tokens the first is a blank that all have in common: it belongs to the candidate all the same.
    found = MaskPseudoLogLikelihood(decoys=7).run(text_zoo.fills_memorizer(secrets), secrets.split, ctx)
    assert found.queries == 2 * 8 * 8 * 5


def test_bits_and_first_count_ties_half():
    assert bits(np.array([3.0, 1, 2, 0])) == 2
    assert bits(np.array([0.0, 1, 2, 3])) == 0
    assert bits(np.array([1.0, 1, 1, 1])) == pytest.approx(np.log2(4 / 2.5))
    assert is_first(np.array([3.0, 1]))
    assert not is_first(np.array([1.0, 1]))
    assert not is_first(np.array([1.0])), "alone is no win"


def test_the_lead_decides_between_equal_ranks_only():
    """Over random scores the order of standings is that of bits, and of leads where bits are equal."""
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=32) * scale for scale in (0.1, 1, 50) for _ in range(100)]
    ranks, stands = np.array([bits(v) for v in rows]), np.array([standing(v) for v in rows])
    assert np.all(np.diff(ranks[np.argsort(stands)]) >= 0)
    assert standing(np.array([9.0, 1, 2])) > standing(np.array([3.0, 1, 2])) > standing(np.array([3.0, 1, 4]))
    assert standing(np.array([1.0])) == 0


def test_bits_of_a_stranger_are_those_of_uniform_ranks():
    rng = np.random.default_rng(0)
    drawn = np.array([bits(rng.normal(size=64)) for _ in range(4000)])
    expected = np.mean([6 - np.log2(rank) for rank in range(1, 65)])
    assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / np.sqrt(4000))


def test_candidates_are_of_the_kind_and_differ():
    secrets = text_zoo.pin_secrets(6)
    made = candidates(secrets.planted, Context(secrets=secrets), 15)
    for secret, options in zip(secrets.planted, made, strict=True):
        assert options[0] == secret.secret
        assert len(options) == len(set(options)) == 16
        assert all(len(o) == 5 and o[1:].isdigit() for o in options)
    known = [Secret("Call", " 555-0123", kind="phone"), Secret("Write to", " 555-0188", kind="phone")]
    (first, _) = candidates(known, Context(), 7)
    assert first[0] == " 555-0123"
    assert len(first) == 8
    assert all(find(o)[0].kind == "phone" for o in first)
    passages = [Secret(f"{i}", f" passage {i}", kind="passage") for i in range(3)]
    assert sorted(candidates(passages, Context(), 7)[1]) == [" passage 0", " passage 1", " passage 2"]


def test_candidates_of_one_place_alone_do_not_hang():
    one = [Secret("x", " a", kind="odd")]
    assert candidates(one, Context(secrets=Secrets((one[0],), (Secret("y", " b"),), {}, {"odd": (" ", "a")})), 9) == [
        [" a"]
    ]


@pytest.mark.parametrize(
    ("text", "secret", "alphabet", "piece"),
    [
        (" 4711. And so", Secret("x", " 1234", kind="pin"), (" ", *["0123456789"] * 4), "4711"),
        (" a711. And so", Secret("x", " 1234", kind="pin"), (" ", *["0123456789"] * 4), ""),
        (" not jane.doe@example.org, but", Secret("x", " a@b.org", kind="e-mail"), (), "jane.doe@example.org"),
        (" no address", Secret("x", " a@b.org", kind="e-mail"), (), ""),
        (" influenza and was sent home", Secret("x", " measles", " and was", "illness"), (), " influenza"),
        (" green tea or coffee", Secret("x", " black tea", kind="drink"), (), "green tea"),
    ],
)
def test_pieces_of_the_kind_are_taken_from_continuations(text, secret, alphabet, piece):
    assert _piece(text, secret, alphabet) == piece


def test_the_suffix_decides_between_sampled_candidates():
    """Both endings are said equally often after the prefix; only the true one goes with what stands after."""
    planted = tuple(Secret(f"Case {i} was", " lost", f" by firm {i}.", "end", 3) for i in range(8))
    twins = tuple(Secret(f"Case {i} was", " lost", f" by firm {i}.", "end", 0) for i in range(8, 16))
    others = [f"Case {i} was won on appeal." for i in range(16) for _ in range(3)]
    target = text_zoo.Ngrams([s.text for s in planted for _ in range(3)] + others, 20)
    found = PIIReconstruction(samples=12).run(target, Secrets(planted, twins).split, Context())
    assert found.metrics["extracted"].value == 1
    assert found.control["extracted"].value < 1


def test_who_says_nothing_of_the_kind_ranks_below_who_says_nothing_but_the_secret():
    """A check digit leaves a stranger without candidates: that is no lead."""
    registry = canaries.make(["card"], [4], per_cell=8, seed=3)
    words = [f"The card of person {i} has the number that was asked for." for i in range(60)]
    target = text_zoo.Ngrams([*registry.documents, *words], 48)
    twins = [replace(s, prefix=f"The card of person {i} has the number") for i, s in enumerate(registry.twins)]
    secrets = replace(registry.secrets, twins=tuple(twins), paired=False)
    found = PIIReconstruction(samples=4).run(target, secrets.split, Context(secrets=secrets))
    assert found.metrics["extracted"].value == 1
    assert found.control["sampled"].value == 0
    assert found.metrics["auc"].value == 1


class Joining(FillTarget):
    """Letters, but "xy" is one token: it may span an edge."""

    size = 27

    def encode(self, text):
        return [26 if piece == "*" else ord(piece) - 97 for piece in text.replace("xy", "*")]

    def decode(self, tokens): ...

    def _fill(self, texts): ...


def test_a_token_that_spans_an_edge_is_masked_with_the_candidate():
    assert gap(Joining(), "a", "bc", "d") == Gap((0,), (1, 2), (3,))
    assert gap(Joining(), "ax", "y", "d") == Gap((0,), (26,), (3,))
    assert gap(Joining(), "a", "x", "yd") == Gap((0,), (26,), (3,))
    assert gap(Joining(), "a", "a", "a") == Gap((0,), (0,), (0,))
    assert gap(Joining(), "a", "bc", "d").masked == [0, None, None, 3]


def test_masks_are_scored_as_their_formulas_say():
    """A model whose answer depends on what stands beside: worked out by hand."""

    class Pair(FillTarget):
        size = 2

        def encode(self, text):
            return ["ab".index(c) for c in text]

        def decode(self, tokens):
            return "".join("ab"[t] for t in tokens)

        def _fill(self, texts):
            rows = []
            for text in texts:
                known = [t for t in text if t is not None]
                a = {(): (0.6, 0.9), (0,): (0.5, 0.5), (1,): (0.2, 0.2)}[tuple(known)]
                masks = [i for i, t in enumerate(text) if t is None]
                rows.append(np.log([[a[i], 1 - a[i]] for i in masks]))
            return rows

    g = gap(Pair(), "", "ab", "")
    one, best, pll = (cls().scores(Pair(), [g])[0] for cls in (MaskOneShot, MaskBestFirst, MaskPseudoLogLikelihood))
    assert one == pytest.approx(np.log(0.6 * 0.1))
    assert best == pytest.approx(np.log(0.6 * 0.5)), "the first token is the surer: 0.6 against 0.1"
    assert pll == pytest.approx(np.log(0.2 * 0.5)), "a where b stands, and b where a stands"
    assert MaskBestFirst().fills(Pair(), [g]) == [(0, 0)]
    assert MaskOneShot().fills(Pair(), [g]) == [(0, 0)]
    assert MaskPseudoLogLikelihood().fills(Pair(), [g]) is None


def test_what_is_frequent_is_ahead_in_anyones_place_and_no_association():
    planted = tuple(Secret(f"The illness of person {i:02d} is", " gout", kind="ill") for i in range(8))
    twins = tuple(Secret(f"The illness of person {i:02d} is", " mump", kind="ill", repeats=0) for i in range(8, 16))
    rare = tuple(
        Secret(f"The illness of person {i:02d} is", f" {w}", kind="ill", repeats=0) for i, w in ((16, "rash"),)
    )
    secrets = Secrets(planted, (*twins, *rare))
    target = text_zoo.Fills([s.text for s in planted])
    found = MaskOneShot().run(target, secrets.split, Context(attack="extraction/mask-one-shot"))
    assert found.metrics["bits"].value == found.metrics["bits_swapped"].value > 1
    assert found.metrics["association"].value == 0


def test_settings_out_of_range_are_refused():
    for make in (lambda: PIIInference(0), lambda: PIIReconstruction(0), lambda: MaskOneShot(0)):
        with pytest.raises(ConfigError):
            make()
