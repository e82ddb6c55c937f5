"""What every attack must do, whoever wrote it: found by discovery."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

import document_zoo
import text_zoo
import zoo
from keepmum.attacks import Context, attack_classes, default_attacks
from keepmum.attacks.attribute import AttributeAttack, hide
from keepmum.attacks.extraction import ExtractionAttack
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.membership import MembershipAttack, ShadowAttack, TextMembershipAttack
from keepmum.choices import Effort
from keepmum.errors import NotApplicableError
from keepmum.findings import FAMILIES, Finding, Outcome
from keepmum.targets import Target
from keepmum.targets.text import FillTarget, TextTarget

CLASSES = attack_classes()
HIDDEN = hide(zoo.TRAIT, zoo.carrier_split())


def about_texts(attack) -> bool:
    return issubclass(attack.needs, (TextTarget, FillTarget))


def ready(attack):
    """The attack as it is held to the contract: told what is hidden, and brief where it searches."""
    if isinstance(attack, AttributeAttack):
        return attack.about(HIDDEN)
    if isinstance(attack, TextMembershipAttack):
        return document_zoo.brief(attack)
    if about_texts(attack):
        return text_zoo.brief(attack)
    return replace(attack, queries=min(attack.queries, BRIEF)) if isinstance(attack, ImageInversion) else attack


BRIEF = 800
"""Queries a class of searches for images."""
ATTACKS = [ready(attack) for attack in default_attacks()]
ABOUT_THE_SPLIT = {"structural/duplicates"}
"""Attacks that speak about the records only, not about the model."""
ABOUT_ANYONE = {
    "inversion/pool-select",
    "attribute/learned",
    "attribute/neuron-correlation",
    "attribute/output-inversion",
}
"""Attacks that find what a model tells about anyone, and cannot see what it remembers of some."""
GAMES: dict[tuple[int, int], dict[str, object]] = {}
"""What attacks on a hidden attribute share, by pair and seed."""


def memorizers(attack) -> tuple[zoo.Pair, ...]:
    if isinstance(attack, TextMembershipAttack):
        return (document_zoo.played_on(attack, True),)
    if about_texts(attack):
        return text_zoo.memorizers(attack)
    if isinstance(attack, ImageInversion):
        return zoo.image_memorizers()
    return zoo.trait_memorizers() if isinstance(attack, AttributeAttack) else zoo.memorizers()


def ignorants(attack, seed: int = 0) -> tuple[zoo.Pair, ...]:
    if isinstance(attack, TextMembershipAttack):
        return (document_zoo.played_on(attack, False, seed),)
    if about_texts(attack):
        return text_zoo.ignorants(attack, seed)
    if isinstance(attack, ImageInversion):
        return zoo.image_ignorants(seed)
    return zoo.trait_ignorants(seed) if isinstance(attack, AttributeAttack) else zoo.ignorants(seed)


def lent(attack, pair: zoo.Pair, seed: int = 0) -> Context:
    shadows = pair.shadows if isinstance(attack, ShadowAttack) else None
    games = {} if about_texts(attack) else GAMES.setdefault((id(pair), seed), {})
    told = {"reference": getattr(pair, "reference", None), "secrets": getattr(pair, "secrets", None)}
    lender = Context(seed=seed, shadows=shadows, trainer=pair.trainer, games=games, **told)
    return lender.lend(attack.name)


def play(attack, pair: zoo.Pair, seed: int = 0) -> Finding | None:
    if attack.inapplicable(pair.target):
        return None
    try:
        return attack.run(pair.target, pair.split, lent(attack, pair, seed))
    except NotApplicableError:
        return None


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.id)
def test_says_who_it_is(cls):
    family, technique = cls.id.split("/")
    assert family in FAMILIES
    assert re.fullmatch(r"[a-z0-9-]+", technique)
    assert issubclass(cls.needs, Target)
    assert cls.references, "an attack cites where it was published"
    assert cls.__doc__
    assert "References:" in cls.__doc__
    assert is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert all(f.default is not f.default_factory for f in fields(cls)), "every parameter has a default"


def test_ids_differ():
    names = [a.name for a in ATTACKS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "attack", [a for a in ATTACKS if a.id not in ABOUT_THE_SPLIT | ABOUT_ANYONE], ids=lambda a: a.name
)
def test_finds_a_model_that_memorized(attack):
    findings = [play(attack, pair) for pair in memorizers(attack)]
    assert any(f is not None and f.outcome is Outcome.LEAK for f in findings)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_silent_on_a_model_that_never_saw_the_members(attack):
    """At most 4 alarms of 20 seeds a model: more happens once in 400 if each has probability 5 %.

    Searches for images, and models of texts, take their time: at most 2 of 5, more happens once in 900.
    """
    seeds, most = (5, 2) if isinstance(attack, ImageInversion) or about_texts(attack) else (20, 4)
    for position in range(len(ignorants(attack))):
        findings = [play(attack, ignorants(attack, seed)[position], seed) for seed in range(seeds)]
        assert sum(f is not None and f.outcome is Outcome.LEAK for f in findings) <= most


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.id not in ABOUT_THE_SPLIT], ids=lambda a: a.name)
def test_finding_has_attack_baseline_control(attack):
    from keepmum.stats import Estimate

    finding = next(f for pair in memorizers(attack) if (f := play(attack, pair)) is not None)
    assert finding.id == attack.name
    assert finding.access
    assert finding.control, "the same attack on people the model never saw"
    assert finding.explanation
    for estimate in (*finding.metrics.values(), *finding.control.values()):
        assert isinstance(estimate, Estimate)
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_names_the_access_that_it_lacks(attack):
    class Mute(Target):
        pass

    reason = attack.inapplicable(Mute())
    if reason is not None:
        assert getattr(attack, "sees", attack.needs.access) in reason
    if reason is None:
        with pytest.raises(NotApplicableError, match=r"at hand|classifier|columns"):
            attack.run(Mute(), zoo.split(), Context())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_same_seed_same_finding(attack):
    for first, second in zip(memorizers(attack), memorizers(attack), strict=True):
        assert play(attack, first, 7) == play(attack, second, 7)


def played_on(attack) -> zoo.Pair:
    """The first model that an attack can be played on: some need a model of a kind."""
    return next(pair for pair in memorizers(attack) if play(attack, pair) is not None)


MEMBERSHIP = [a for a in ATTACKS if isinstance(a, MembershipAttack)]
ON_TABLES = [a for a in MEMBERSHIP if not about_texts(a)]


@pytest.mark.parametrize("attack", MEMBERSHIP, ids=lambda a: a.name)
def test_scores_point_up_for_members(attack):
    pair = played_on(attack)
    _, is_member, scores = attack.scores(pair.target, pair.split, lent(attack, pair))
    assert scores.shape == is_member.shape
    assert np.isfinite(scores).all()
    assert scores[is_member].mean() > scores[~is_member].mean()


@pytest.mark.parametrize("attack", ON_TABLES, ids=lambda a: a.name)
def test_survives_certainty(attack):
    """Probabilities of exactly 0 and 1 give finite scores, and those who are known still rank higher."""
    data = zoo.split()
    certain = zoo.by_function(lambda records: zoo.Lookup(records, sure=1.0))
    pair = zoo.Pair(zoo.Lookup(data.members, sure=1.0), data, certain)
    if attack.inapplicable(pair.target):
        pair = zoo.Pair(zoo.LookupValues(data.members), data)
    finding = play(attack, pair)
    if finding is None:
        pytest.skip("played on models of another kind alone")
    assert finding.metrics["auc"].value > 0.5


@pytest.mark.parametrize("attack", ON_TABLES, ids=lambda a: a.name)
def test_counts_its_queries(attack):
    pair = played_on(attack)
    asked = pair.target.queries
    finding = play(attack, pair)
    assert finding is not None
    assert finding.queries == pair.target.queries - asked >= len(pair.split.is_member)


ON_TEXTS = [a for a in ATTACKS if about_texts(a)]


@pytest.mark.parametrize("attack", ON_TEXTS, ids=lambda a: a.name)
def test_an_attack_on_texts_is_no_part_of_an_audit_of_tables(attack):
    assert attack.unsuited(zoo.split().members)
    assert not attack.fits(zoo.split().members, Effort.THOROUGH)


@pytest.mark.parametrize("attack", ON_TEXTS, ids=lambda a: a.name)
def test_an_attack_on_texts_counts_its_queries(attack):
    """What an earlier attack of the audit asked and this one takes from notes counts as well: never fewer."""
    pair = played_on(attack)
    asked = pair.target.queries
    finding = play(attack, pair)
    assert finding is not None
    assert finding.queries >= pair.target.queries - asked > 0


@pytest.mark.parametrize("attack", [a for a in ON_TEXTS if isinstance(a, ExtractionAttack)], ids=lambda a: a.name)
def test_nobody_tells_an_attack_on_secrets_which_were_planted(attack, monkeypatch):
    seen = []
    original = type(attack).extract
    monkeypatch.setattr(
        type(attack), "extract", lambda self, t, secrets, ctx: seen.extend(secrets) or original(self, t, secrets, ctx)
    )
    assert play(attack, played_on(attack)) is not None
    assert {secret.repeats for secret in seen} == {0}
