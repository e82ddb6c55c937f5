"""Documents that come out unasked, and the index that finds them."""

from __future__ import annotations

import numpy as np
import pytest

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import Divergence, Untargeted
from keepmum.attacks.extraction._documents import match
from keepmum.attacks.extraction._shingles import Hits, Shingles, longest, plain, window_hashes
from keepmum.choices import Effort
from keepmum.data import Split
from keepmum.errors import ConfigError, DataError, NotApplicableError
from keepmum.findings import EXTRACTABLE, Outcome
from keepmum.texts import documents

UNTARGETED = Untargeted(texts=30, tokens=90)
PROMPTED = Untargeted(prompted=True, texts=30, tokens=70, words=3)
ATTACKS = [UNTARGETED, PROMPTED, Divergence(texts=6, tokens=90)]


def split(seed: int = 0) -> Split:
    made = text_zoo.sentences(60, seed + 500)
    return Split(documents(made[:30]), documents(made[30:]))


def reciter(of: Split) -> text_zoo.Ngrams:
    return text_zoo.Ngrams(of.members.X.tolist(), 16)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_loud_on_a_model_that_recites(attack):
    ctx = Context(attack=attack.name)
    found = attack.run(reciter(split()), split(), ctx)
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.control["extracted"].value == 0
    assert found.metrics["longest_piece"].value >= 50
    assert found.queries == 30
    assert any(ctx.evidence[attack.name])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_silent_on_a_model_of_other_documents(attack):
    for seed in range(3):
        found = attack.run(reciter(split(seed + 50)), split(seed), Context(seed=seed, attack=attack.name))
        assert found.outcome is Outcome.NO_LEAK_FOUND
        assert found.metrics["extracted"].value == 0


def test_what_both_sides_have_counts_for_neither():
    """A model that recites nothing but a license which all documents end with."""
    license_text = " ".join(text_zoo.sentences(3, 9))
    made = [text + " " + license_text for text in text_zoo.sentences(40, 1)]
    both = Split(documents(made[:20]), documents(made[20:]))
    found = UNTARGETED.run(text_zoo.Ngrams([license_text] * 3, 16), both, Context())
    assert found.outcome is Outcome.NO_LEAK_FOUND
    assert found.metrics["extracted"].value == found.control["extracted"].value == 0


def test_the_control_is_of_equal_size():
    made = text_zoo.sentences(60, 2)
    found = UNTARGETED.run(reciter(split()), Split(documents(made[:50]), documents(made[50:])), Context())
    assert "of 10 documents" in found.explanation


def test_few_documents_show_nothing():
    made = text_zoo.sentences(6, 2)
    few = Split(documents(made[:3]), documents(made[3:]))
    assert UNTARGETED.run(reciter(few), few, Context()).outcome is Outcome.INCONCLUSIVE


def test_divergence_is_an_option_and_never_a_default():
    assert not Divergence().fits(split().members, Effort.THOROUGH)
    assert Untargeted().fits(split().members, Effort.QUICK)


def test_secrets_and_tables_are_no_documents():
    assert "documents" in Untargeted().unsuited(text_zoo.pin_secrets(4).split.members)


def test_settings_out_of_range_are_refused():
    for make in (lambda: Untargeted(texts=0), lambda: Untargeted(width=3), lambda: Divergence(words=())):
        with pytest.raises(ConfigError):
            make()


def test_hashes_are_equal_where_windows_are():
    rng = np.random.default_rng(3)
    text = "".join(rng.choice(list("abé😀"), 400))
    hashes = window_hashes(text, 3)
    windows = [text[i : i + 3] for i in range(398)]
    assert len(hashes) == 398
    assert len(set(hashes.tolist())) == len(set(windows))
    assert {(h, w) for h, w in zip(hashes.tolist(), windows, strict=True)} == {
        (h, windows[hashes.tolist().index(h)]) for h in hashes.tolist()
    }
    assert len(window_hashes("ab", 3)) == 0


def test_the_index_finds_what_a_plain_search_finds():
    rng = np.random.default_rng(4)
    drawn = ["".join(rng.choice(list("ab"), 60)) for _ in range(6)]
    index = Shingles(drawn, 8)
    for _ in range(20):
        text = "".join(rng.choice(list("ab"), 40))
        hits = index.hits(text)
        ours = set(zip(hits.here.tolist(), hits.text.tolist(), strict=True))
        theirs = {(i, k) for i in range(33) for k, other in enumerate(drawn) if text[i : i + 8] in other}
        assert ours == theirs
        for i, k, j in zip(hits.here, hits.text, hits.there, strict=True):
            assert drawn[k].index(text[i : i + 8]) == j


def test_equal_hashes_of_unequal_windows_are_no_hits(monkeypatch):
    from keepmum.attacks.extraction import _shingles

    constant = lambda text, width: np.zeros(max(0, len(text) - width + 1), dtype=np.uint64)  # noqa: E731
    monkeypatch.setattr(_shingles, "window_hashes", constant)
    assert len(Shingles(["abcdefghij"], 8).hits("zzzzzzzzzz").here) == 0


def test_the_longest_piece_is_put_together_from_windows():
    text = "0123456789" + "the quick brown fox" + "9876543210"
    hits = Shingles(["xx the quick brown fox yy", "quick brown f"], 8).hits(text)
    start, length = longest(hits, 8)
    assert text[start : start + length] == "the quick brown fox"
    assert longest(Hits(*(np.empty(0, dtype=np.intp),) * 3), 8) == (0, 0)


def test_white_space_does_not_hide_a_piece():
    text = "The old woman takes the early way into the government of the world."
    broken = text.replace(" ", "\n", 5)
    found = match([plain(text)], np.array([True]), [plain(broken)], 50)
    assert found.lengths[0] == len(text)
    assert found.holding == (1, 0)


def test_a_text_of_one_letter_is_found_without_end():
    found = match(["a" * 5000], np.array([True]), ["a" * 5000], 50)
    assert found.lengths[0] >= 50


def test_a_model_that_cannot_begin_from_nothing_is_begun_with_words():
    class Begun(text_zoo.Ngrams):
        def _generate(self, prompts, *how):
            if "" in prompts:
                raise DataError("expected a text before the next token, got none")
            return super()._generate(prompts, *how)

    target = Begun(text_zoo.sentences(5, 0))
    with pytest.raises(NotApplicableError, match="play extraction/untargeted:prefixes"):
        Untargeted(texts=2, tokens=5).run(target, split(), Context())
    assert Untargeted(prompted=True, texts=2, tokens=5).run(target, split(), Context()).queries == 2


def test_no_more_is_drawn_than_a_model_can_read():
    pytest.importorskip("transformers")
    from text_tiny import CONTEXT, causal

    for attack in (Untargeted(texts=2, tokens=CONTEXT + 9), Untargeted(prompted=True, texts=2, tokens=CONTEXT + 9)):
        assert attack.run(causal(), split(), Context()).queries == 2
