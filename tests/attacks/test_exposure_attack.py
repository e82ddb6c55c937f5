"""Exposure of secrets, exact and sampled: loud on a model that recites, silent on one that never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import Exposure
from keepmum.attacks.extraction._others import Others, others_of
from keepmum.canaries import KINDS, make
from keepmum.choices import Effort
from keepmum.errors import ConfigError, DataError, NotApplicableError
from keepmum.findings import EXTRACTABLE, MEMORIZED, NO_EVIDENCE, Outcome
from keepmum.stats.exposure import null_bits
from keepmum.targets._tree import grow
from keepmum.targets.text import LogitTarget, TokenScoreTarget
from keepmum.texts import Secret, Secrets

DIGITS = "0123456789"
BRIEF = Exposure(others=63)


class Scores(TokenScoreTarget):
    """A model that tells scores and nothing else."""

    def __init__(self, model: LogitTarget) -> None:
        super().__init__()
        self.model = model

    def _score(self, texts, prefixes):
        return self.model._score(texts, prefixes)

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return self.model._generate(prompts, tokens, samples, sampling, seed)


class Pieces(LogitTarget):
    """A model of characters in tokens of two, where two digits, or a letter and a space, stand side by side."""

    TOKENS = (*text_zoo.ALPHABET, *(a + b for a in DIGITS for b in DIGITS), *(f"{a} " for a in "sn:"))

    def __init__(self, model: text_zoo.Ngrams) -> None:
        super().__init__()
        self.model = model

    @property
    def size(self):
        return len(self.TOKENS)

    def encode(self, text):
        tokens, at = [], 0
        while at < len(text):
            token = text[at : at + 2] if text[at : at + 2] in self.TOKENS else text[at]
            tokens.append(self.TOKENS.index(token))
            at += len(token)
        return tokens

    def decode(self, tokens):
        return "".join(self.TOKENS[token] for token in tokens)

    def _next_log_probs(self, prefix, continuations):
        return np.array([self.after(self.decode([*prefix, *each])) for each in continuations])

    def after(self, context):
        first = self.model.following(context)
        then = {token[0]: self.model.following(context + token[0]) for token in self.TOKENS if len(token) == 2}
        places = self.model.places
        pairs = [first[places[a]] + then[a][places[b]] for a, b in self.TOKENS[len(text_zoo.ALPHABET) :]]
        return np.concatenate([first, pairs])

    def _score(self, texts, prefixes):
        raise NotImplementedError

    def _generate(self, prompts, tokens, samples, sampling, seed):
        raise NotImplementedError


def short_pins(n: int = 24, seed: int = 0, repeats: int = 4) -> Secrets:
    """Numbers of two digits, so that every one can be scored by itself."""
    secrets = text_zoo.pin_secrets(n, seed, repeats)
    cut = [tuple(replace(s, secret=s.secret[:3]) for s in side) for side in (secrets.planted, secrets.twins)]
    return Secrets(*cut, {"pin": 100.0}, {"pin": (" ", DIGITS, DIGITS)})


def slow_bits(model: TokenScoreTarget, secret: Secret, every: list[str]) -> float:
    """Exposure by scoring everything there could be, one by one."""
    totals = {text: model.score([text], [secret.prefix])[0].total for text in every}
    mine = totals.pop(secret.secret)
    rank = 1 + sum(t > mine + 1e-9 for t in totals.values()) + sum(abs(t - mine) <= 1e-9 for t in totals.values()) / 2
    return float(np.log2(len(every)) - np.log2(rank))


@pytest.mark.parametrize("wrap", [lambda model: model, Pieces], ids=["characters", "pieces"])
def test_the_tree_says_what_scoring_everything_says(wrap):
    """Also where tokens are no characters, and the space before a secret is one token with the end of the prefix."""
    secrets = short_pins(4)
    characters = text_zoo.Ngrams(text_zoo.sentences(20, 0) + [s.text for s in secrets.planted for _ in range(2)])
    model = wrap(characters)
    every = [f" {i:02d}" for i in range(100)]
    asked = [*secrets.planted, *secrets.twins]
    found = Exposure().extract(model, asked, Context(secrets=secrets))
    assert found.scores == pytest.approx([slow_bits(characters, secret, every) for secret in asked])
    prefix = asked[0].prefix
    tree = grow(model.encode, prefix, every)
    retreated = 1 if wrap is Pieces else 0  # "s" and " " are one token there
    assert tree.back == retreated
    start = len(prefix) - retreated
    slow = [characters.score([prefix[start:] + text], [prefix[:start]])[0].total for text in every]
    assert tree.log_probs(model, prefix) == pytest.approx(slow)


def test_ten_thousand_numbers_cost_a_thousand_beginnings():
    secrets = text_zoo.pin_secrets(4)
    model = text_zoo.memorizer(secrets)
    found = Exposure().run(model, secrets.split, Context(secrets=secrets))
    assert found.queries == 8 * 1112
    assert found.metrics["exposure"].value == pytest.approx(np.log2(10_000), abs=0.3)


def test_a_prefix_that_changes_tokens_grows_another_tree():
    """One prefix ends in a letter that is one token with a space, another does not."""
    every = [f" {i:02d}" for i in range(100)]
    characters = text_zoo.Ngrams(["x 12"])
    model = Pieces(characters)
    tree = grow(model.encode, "The code is", every)
    assert tree.suits(model.encode, "Another code is", every, 0)
    assert not tree.suits(model.encode, "The code of X", every, 0)
    secrets = [Secret("The code is", " 12", kind="pin"), Secret("The code of X", " 34", kind="pin")]
    known = Secrets((secrets[0],), (secrets[1],), {}, {"pin": (" ", DIGITS, DIGITS)})
    found = Exposure().extract(model, secrets, Context(secrets=known))
    assert found.scores == pytest.approx([slow_bits(characters, secret, every) for secret in secrets])


@pytest.mark.parametrize("wrap", [lambda model: model, Scores], ids=["logits", "scores"])
def test_loud_on_a_model_that_recites(wrap):
    secrets = text_zoo.pin_secrets(12)
    found = BRIEF.run(wrap(text_zoo.memorizer(secrets)), secrets.split, Context(secrets=secrets))
    assert found.outcome is Outcome.LEAK
    assert found.control["uniformity_p"].value > 0.01
    assert found.metrics["auc"].value > 0.95
    assert found.control["extracted"].value == 0
    whole = wrap is not Scores
    assert found.verdict == (EXTRACTABLE if whole else MEMORIZED), "rank 1 among some is no extraction"
    assert found.metrics["known"].value > 0.9
    assert ("exact for pin (up to 13.3 bits)" if whole else "'at least' where it ends, for pin (at 6.0 bits)") in (
        found.explanation
    )


def test_silent_on_a_model_that_never_saw():
    """At most 4 alarms of 20 (more happens once in 400 if each has 5 %); 2 that call fair twins unfair."""
    found = []
    for seed in range(20):
        secrets = short_pins(24, seed)
        found.append(Exposure().run(text_zoo.ignorant(seed), secrets.split, Context(seed=seed, secrets=secrets)))
    assert sum(f.outcome is Outcome.LEAK for f in found) <= 4
    assert sum(f.outcome is Outcome.INCONCLUSIVE for f in found) <= 2
    assert {f.verdict for f in found} <= {NO_EVIDENCE, MEMORIZED, ""}
    means = [f.metrics["exposure"].value for f in found] + [f.control["exposure"].value for f in found]
    assert np.mean(means) == pytest.approx(null_bits(99), abs=0.2)
    assert found[0].baseline["exposure"].value == pytest.approx(null_bits(99))


def test_more_repeats_more_bits_and_each_secret_is_known_by_itself():
    registry = make(("pin",), (1, 4), per_cell=6, seed=3)
    model = text_zoo.Ngrams([*text_zoo.sentences(60, 0), *registry.documents], order=16)
    found = BRIEF.run(model, registry.secrets.split, Context(secrets=registry.secrets))
    slices = {part.value: part.metrics for part in found.slices if part.column == "repeats"}
    assert set(slices) == {"1", "4"}
    assert slices["4"]["exposure"].value >= slices["1"]["exposure"].value > 8
    assert found.metrics["known_for_sure"].value > 0.9, "of 10,000, rank 1 is beyond doubt for 12 secrets at once"
    assert found.metrics["epsilon_lower_bound"].value > 1
    assert "epsilon_lower_bound" in slices["1"]


def test_every_kind_of_canary_is_compared():
    registry = make(repeats=(4,), per_cell=2, seed=5)
    model = text_zoo.Ngrams([*text_zoo.sentences(30, 0), *registry.documents], order=12)
    found = Exposure(others=15, exact=0).run(model, registry.secrets.split, Context(secrets=registry.secrets))
    assert {part.value for part in found.slices if part.column == "kind"} == set(KINDS)
    assert all(p.metrics["exposure"].value > 3.5 for p in found.slices if p.column == "kind"), "of at most 4 bits"
    assert found.metrics["extracted"].value == 0
    assert found.outcome is Outcome.LEAK


def test_epsilon_rests_on_coins_alone():
    secrets = short_pins()
    model = text_zoo.memorizer(secrets)
    assert "epsilon_lower_bound" not in Exposure().run(model, secrets.split, Context(secrets=secrets)).metrics
    with pytest.raises(DataError, match="expected pairs, got 24 planted secrets and 1 twins"):
        replace(secrets, twins=secrets.twins[:1], paired=True)


def test_twins_that_stand_in_the_data_are_called_unfair():
    secrets = short_pins()
    cheated = text_zoo.Ngrams([s.text for s in (*secrets.planted, *secrets.twins) for _ in range(4)])
    found = Exposure().run(cheated, secrets.split, Context(secrets=secrets))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "24 twins, which were never trained on, are not uniform" in found.reason
    assert found.verdict == ""


def test_references_are_no_secrets_that_are_asked_about():
    secrets = [Secret("x", f" {i:02d}", kind="pin") for i in range(40)]
    (others,) = others_of(secrets, Secrets((secrets[0],), (secrets[1],), {}, {"pin": (" ", DIGITS, DIGITS)})).values()
    drawn = others.some(500, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn)) == 60
    assert not {s.secret for s in secrets} & set(drawn)
    assert len(others.some(30, np.random.default_rng(0))) == 30


def test_few_secrets_are_all_scored_without_logits():
    """A hundred numbers are no more than 255 references: exact, also where only scores are told."""
    secrets = short_pins(4)
    model = text_zoo.memorizer(secrets)
    one, other = (
        Exposure().extract(t, list(secrets.planted), Context(secrets=secrets)) for t in (model, Scores(model))
    )
    assert one.scores == pytest.approx(other.scores)
    assert (one.extracted == other.extracted).all()
    assert one.extracted.any()


def test_what_came_out_is_kept_for_the_closed_folder_alone():
    secrets = text_zoo.pin_secrets(6)
    ctx = Context(secrets=secrets)
    found = BRIEF.run(text_zoo.memorizer(secrets), secrets.split, ctx)
    assert set(filter(None, ctx.evidence["extraction/exposure"])) <= {s.secret.strip() for s in secrets.planted}
    assert any(ctx.evidence["extraction/exposure"])
    assert not any(s.secret.strip() in found.explanation for s in secrets.planted)


def test_the_same_seed_the_same_finding():
    secrets = short_pins(6)
    model = Scores(text_zoo.memorizer(secrets))
    attack = Exposure(others=31)
    assert attack.run(model, secrets.split, Context(seed=3, secrets=secrets)) == attack.run(
        model, secrets.split, Context(seed=3, secrets=secrets)
    )


def test_few_queries_make_fewer_references():
    secrets = text_zoo.pin_secrets(4)
    model = text_zoo.memorizer(secrets)
    found = Exposure().run(model, secrets.split, Context(secrets=secrets, queries_left=8 * 41))
    assert found.queries <= 8 * 41
    assert found.metrics["exposure"].high <= np.log2(41) + 1e-9 or found.metrics["exposure"].value <= np.log2(41)
    with pytest.raises(NotApplicableError, match="needs 16 queries for each of 8 secrets; 100 are left"):
        Exposure().run(model, secrets.split, Context(secrets=secrets, queries_left=100))


def test_what_cannot_be_compared():
    model = text_zoo.ignorant()
    passage = Secret("x", " some words", kind="passage")
    with pytest.raises(NotApplicableError, match="of the kind 'passage'"):
        Exposure().extract(model, [passage], Context())
    wrong = Secret("x", " 12a4", kind="pin")
    with pytest.raises(NotApplicableError, match="not spelled as keepmum's canaries of that name"):
        Exposure().extract(model, [wrong], Context())
    pin = (" ", *4 * ("0123456789",))
    given = Secrets((wrong,), (Secret("y", " 1234", kind="pin"),), {}, {"pin": pin})
    with pytest.raises(DataError, match="is not spelled in the alphabets") as caught:
        Exposure().extract(model, [wrong], Context(secrets=given))
    assert "12a4" not in str(caught.value)
    assert "'x'" not in str(caught.value), "what stands before it is as much of the data"
    tens = Secrets((Secret("x", " 12", kind="n"),), (Secret("y", " 34", kind="n"),), {}, {"n": (" ", "1234", "1234")})
    with pytest.raises(NotApplicableError, match=r"needs 15 others of the kind 'n'.*there are 14"):
        Exposure(others=15, exact=0).extract(model, [*tens.planted, *tens.twins], Context(secrets=tens))


@pytest.mark.parametrize("wrong", [{"others": 14}, {"exact": -1}])
def test_out_of_range(wrong):
    with pytest.raises(ConfigError, match="at least 15 others"):
        Exposure(**wrong)


def test_effort_changes_how_many_it_compares():
    assert [Exposure().paced(e).others for e in (Effort.QUICK, Effort.STANDARD, Effort.THOROUGH)] == [63, 255, 1023]


def test_space_is_infinite_where_it_cannot_be_listed():
    assert Others("note", KINDS["note"].draw, (), frozenset()).space == np.inf


@pytest.mark.slow
def test_a_byte_pair_tokenizer_and_a_transformer():
    """The tree against the target's own scores, which tokenize prefix and secret together by another way."""
    pytest.importorskip("transformers")
    from keepmum.training import train_causal

    registry = make(("pin",), (8,), per_cell=4, seed=2)
    shape = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 400, "context": 64, "epochs": 1}
    model = train_causal([*text_zoo.sentences(30, 0), *registry.documents], **shape)
    every = [f" {i:04d}" for i in range(10_000)]
    trees = [grow(model.encode, secret.prefix, every) for secret in registry.planted[:2]]
    assert trees[0].suits(model.encode, registry.planted[1].prefix, every, 17)
    assert trees[0].tails == trees[1].tails
    prefix = registry.planted[1].prefix
    some = list(range(3, 10_000, 701))
    slow = [scored.total for scored in model.score([every[i] for i in some], [prefix] * len(some))]
    assert trees[0].log_probs(model, prefix)[some] == pytest.approx(slow, abs=1e-4)
    assert trees[0].asks == 1112
