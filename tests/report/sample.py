"""Two reports as an audit makes them: a leaky forest and a tight one, with every kind of finding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from keepmum.errors import NotResolvableError
from keepmum.findings import (
    CLASS_LEVEL,
    IDENTITY_LEVEL,
    NOTHING_BEYOND_IMPUTATION,
    NOTHING_BEYOND_PRIOR,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Check,
    Coverage,
    Curve,
    ExposedGroup,
    Exposure,
    Finding,
    HiddenAttribute,
    Mark,
    Outcome,
    Played,
    Slice,
    Trait,
)
from keepmum.report import Report
from keepmum.report._gallery import Pictures, Wall, wall
from keepmum.stats import Estimate
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.stats.intervals import wilson
from keepmum.stats.null import membership_p_value
from keepmum.stats.roc import advantage, auc, balanced_accuracy, precision, roc_curve, tpr_at_fpr

PEOPLE = 2000
SIGNALS = ("confidence", "correctness", "entropy", "loss", "modified-entropy", "scaled-logit")


def finding(name: str, shift: float, seed: int, tests: int = 12) -> Finding:
    """A membership finding on normal scores, members ``shift`` higher; some are far higher."""
    rng = np.random.default_rng(seed)
    groups = rng.choice(["<=50K", ">50K"], 2 * PEOPLE, p=[0.76, 0.24])
    scores = rng.normal(size=2 * PEOPLE)
    scores[:PEOPLE] += shift * (1 + 3 * (rng.random(PEOPLE) < 0.06))
    members, nonmembers = scores[:PEOPLE], scores[PEOPLE:]
    metrics, refused = measure(members, nonmembers, rng)
    p_value = membership_p_value(members, nonmembers)
    adjusted = min(1.0, tests * p_value)
    right, caught = metrics["precision"], metrics["tpr_at_fpr_0.01"]
    return Finding(
        id=f"membership/{name}",
        family="membership",
        outcome=Outcome.LEAK if adjusted <= 0.05 else Outcome.NO_LEAK_FOUND,
        access="label-only" if name.startswith("correctness") else "scores",
        queries=2 * PEOPLE,
        metrics=metrics,
        baseline={"auc": auc(rng.normal(size=PEOPLE), rng.normal(size=PEOPLE))},
        control={"auc": auc(nonmembers[::2], nonmembers[1::2])},
        refused=refused,
        p_value=p_value,
        adjusted_p_value=adjusted,
        explanation=(
            f"If 10% of the people asked about were in the training set, then of 100 people accused "
            f"{100 * right.value:.0f} really were ({100 * right.low:.0f} to {100 * right.high:.0f}); the attack finds "
            f"{100 * caught.value:.1f} % of them while wrongly accusing 1% of the others."
        ),
        slices=slices(scores, groups),
        curve=curve(members, nonmembers),
        references=("arXiv:1709.01604",),
    )


def measure(members, nonmembers, rng):
    gain = advantage(members, nonmembers, rng)
    metrics = {"auc": auc(members, nonmembers), "advantage": gain, "balanced_accuracy": balanced_accuracy(gain)}
    refused = {}
    for fpr in (0.1, 0.01, 0.001):
        try:
            metrics[f"tpr_at_fpr_{fpr:g}"] = tpr_at_fpr(members, nonmembers, fpr)
        except NotResolvableError as err:
            refused[f"tpr_at_fpr_{fpr:g}"] = str(err)
    metrics["epsilon_lower_bound"] = epsilon_lower_bound(members, nonmembers)
    metrics["precision"] = precision(members, nonmembers, 0.01, 0.1)
    return metrics, refused


def slices(scores, groups) -> tuple[Slice, ...]:
    member = np.arange(len(scores)) < len(scores) // 2
    found = []
    for group in ("<=50K", ">50K"):
        mine, theirs = scores[member & (groups == group)], scores[~member & (groups == group)]
        metrics = {"auc": auc(mine, theirs, 0.975), "tpr_at_fpr_0.1": tpr_at_fpr(mine, theirs, 0.1, 0.975)}
        found.append(Slice("class", group, len(mine), len(theirs), metrics))
    return (*found, Slice("native-country", "Holand-Netherlands", 1, 0))


def curve(members, nonmembers) -> Curve:
    fpr, tpr = roc_curve(members, nonmembers)
    wanted = np.r_[0.0, np.geomspace(1 / len(nonmembers), 1, 120)]
    keep = np.unique(np.r_[np.searchsorted(fpr, wanted, side="right") - 1, len(fpr) - 1])
    ranks = np.argsort(np.argsort(np.r_[members, nonmembers])) / (len(members) + len(nonmembers))
    edges = np.linspace(0, 1, 21)
    shares = [np.histogram(part, edges)[0] / len(part) for part in (ranks[: len(members)], ranks[len(members) :])]
    return Curve(*(tuple(round(float(v), 6) for v in part) for part in (fpr[keep], tpr[keep], edges, *shares)))


def structural(leaky: bool) -> tuple[Finding, ...]:
    leaves = Finding(
        id="structural/small-leaves",
        family="structural",
        outcome=Outcome.LEAK if leaky else Outcome.NO_LEAK_FOUND,
        access="model file",
        metrics={
            "share_in_small_leaves": wilson(1260 if leaky else 12, PEOPLE),
            "smallest_leaf": Estimate(1, 1, 1) if leaky else Estimate(25, 25, 25),
        },
        control={"share_in_small_leaves": wilson(610 if leaky else 11, PEOPLE)},
        p_value=0.005 if leaky else 0.61,
        adjusted_p_value=0.04 if leaky else 1.0,
        explanation="In an average tree 63% of the members sit in a leaf with fewer than 5 training people.",
        references=("doi:10.1145/2810103.2813677",),
    )
    stored = Finding(
        id="structural/stored-records",
        family="structural",
        outcome=Outcome.NOT_APPLICABLE,
        access="model file",
        reason="the model keeps no records: a RandomForestClassifier stores counts, not rows",
    )
    return leaves, stored


def others() -> tuple[Finding, ...]:
    return (
        Finding(
            "membership/scaled-logit:per-class",
            "membership",
            Outcome.INCONCLUSIVE,
            "scores",
            reason="27 non-members in class >50K, at least 30 are needed",
        ),
        Finding("membership/squared-error", "membership", Outcome.NOT_APPLICABLE, reason="needs a regression target"),
        Finding("membership/shadow", "membership", Outcome.SKIPPED, reason="the time budget of 60 s was spent"),
        Finding("membership/broken", "membership", Outcome.ERROR, reason="ValueError: expected finite scores"),
    )


def instrument() -> dict[str, Check]:
    return {
        "positive_control": Check(
            "positive_control",
            True,
            "A twin trained to memorize 1,000 members was caught (AUC 1.000 [0.999, 1.000]).",
            {"auc": Estimate(1.0, 0.999, 1.0)},
        ),
        "negative_control": Check(
            "negative_control",
            True,
            "Non-members against non-members: 0 of 12 attacks raised an alarm.",
            {"auc": Estimate(0.489, 0.464, 0.514)},
            {"attacks": 12, "alarms": 0},
        ),
        "blind_baseline": Check(
            "blind_baseline",
            True,
            "Without the model members and non-members cannot be told apart (AUC 0.504 [0.486, 0.522]).",
            {"auc": Estimate(0.504, 0.486, 0.522)},
        ),
        "overlap": Check("overlap", None, "Not done: no record columns were given, so duplicates cannot be found."),
        "power": Check(
            "power",
            True,
            "With 2,000 members and 2,000 non-members an AUC of 0.531 or more is found in 4 of 5 audits.",
            {},
            {"detectable_auc": 0.531, "resolvable_fpr": 0.0015},
        ),
    }


def coverage() -> dict[str, Coverage]:
    played = tuple(Played(f"membership/{name}", "executed") for name in SIGNALS)
    missed = (
        Played("membership/squared-error", "not_applicable", "needs a regression target"),
        Played("membership/shadow", "skipped", "the time budget of 60 s was spent"),
        Played("membership/broken", "failed", "ValueError: expected finite scores"),
    )
    later = "keepmum 0.1 has no attack of this family yet"
    return {
        "membership": Coverage("membership", "executed", attacks=played + missed),
        "structural": Coverage(
            "structural",
            "executed",
            attacks=(
                Played("structural/small-leaves", "executed"),
                Played("structural/stored-records", "not_applicable", "the model keeps no records"),
            ),
        ),
        **{family: Coverage(family, "not_implemented", later) for family in ("attribute", "inversion", "extraction")},
    }


@cache
def leaky() -> Report:
    """A forest that memorized."""
    found = tuple(finding(name, 0.25 + 0.06 * i, i) for i, name in enumerate(SIGNALS))
    per_class = (finding("loss:per-class", 0.62, 20), finding("modified-entropy:per-class", 0.62, 20))
    return report(
        Outcome.LEAK,
        "Someone who can ask this model for scores can tell for some people that they were in its training data.",
        found + per_class + structural(True) + others(),
        "RandomForestClassifier",
        exposure(),
    )


@cache
def tight() -> Report:
    """A forest that generalizes."""
    found = tuple(finding(name, 0.0, 100 + i) for i, name in enumerate(SIGNALS))
    per_class = (finding("loss:per-class", 0.0, 120), finding("modified-entropy:per-class", 0.0, 121))
    return report(
        Outcome.NO_LEAK_FOUND,
        "The attacks that were run could not tell who was in this model's training data.",
        found + per_class + structural(False),
        "LogisticRegression",
        Exposure(16, PEOPLE, reason="the shadow models are not like the target."),
    )


@cache
def asked() -> Report:
    """The leaky forest, asked about three hidden attributes: one leaks, one is a number, one is in doubt."""
    marital = (
        guess("marital-status", "confidence-prior", RECORD_LEVEL, (0.928, 0.718, 0.596), (0.91, 0.70, 0.62), 1e-6),
        guess("marital-status", "lomia", POPULATION_LEVEL, (0.781, 0.718, 0.777), (0.75, 0.70, 0.74), 0.4),
        guess("marital-status", "fredrikson", NOTHING_BEYOND_IMPUTATION, (0.655, 0.718, 0.625), (0.66, 0.70, 0.65), 1),
        guess("marital-status", "output-inversion", POPULATION_LEVEL, (0.99, 0.718, 0.99), (0.97, 0.70, 0.97), None),
        Finding(
            "attribute/neuron-correlation:marital-status",
            "attribute",
            Outcome.NOT_APPLICABLE,
            reason="needs gradients, this target offers scores",
        ),
    )
    dose = (guess("dose", "fredrikson", NOTHING_BEYOND_IMPUTATION, (0.42, 0.44, 0.41), (0.31, 0.33, 0.30), 0.7),)
    doubt = guess("race", "csmia", "", (0.7, 0.6, 0.6), (0.9, 0.85, 0.86), 0.01)
    race = (replace(doubt, outcome=Outcome.INCONCLUSIVE, reason="the split leaks, not the model. AUC 0.7"),)
    found = leaky()
    attributes = (
        described("marital-status", False, (0.5, 0.66, 0.70, 0.718), (0.48, 0.61, 0.68, 0.70)),
        described("dose", True, (0.3, 0.37, 0.43, 0.44), (0.0, 0.2, 0.32, 0.33)),
        described("race", False, (0.5, 0.55, 0.58, 0.6), (0.85, 0.85, 0.85, 0.85)),
    )
    played = tuple(Played(f.id, "executed") for f in marital + dose + race if f.metrics)
    return replace(
        found,
        findings=found.findings + marital + dose + race,
        attributes=attributes,
        coverage={**found.coverage, "attribute": Coverage("attribute", "executed", attacks=played)},
    )


@cache
def looked() -> Report:
    """The leaky forest, attacked by inversion: pictures of persons, noise that fools, a profile, and whole rows."""
    persons = drawn("gradient", IDENTITY_LEVEL, (0.72, 0.28), (0.83, 0.70, 0.79), 1.3)
    fooling = drawn("nes", NOTHING_BEYOND_PRIOR, (0.80, 0.28), (0.35, 0.70, 0.34), 9.7)
    profile = Finding(
        id="inversion/class-profile",
        family="inversion",
        outcome=Outcome.NO_LEAK_FOUND,
        access="scores",
        queries=2000,
        metrics={
            "resemblance": near(0.12, 0.04),
            "gain_over_prior": near(0.08, 0.03),
            "attackers_own_score": near(0.97, 0.01),
            "people_per_class": Estimate(500, 500, 500),
        },
        baseline={"resemblance": near(0.02), "resemblance_of_best_public_record": near(-0.31, 0.05)},
        control={"resemblance": near(0.11, 0.04)},
        p_value=0.6,
        adjusted_p_value=1.0,
        explanation="Made-up records tell what the people of a class are like (class-level).",
        references=("arXiv:1610.05820",),
        verdict=CLASS_LEVEL,
    )
    rows = Finding(
        id="inversion/informed-adversary",
        family="inversion",
        outcome=Outcome.LEAK,
        access="model file",
        metrics={
            "recovered_share": near(0.94, 0.05),
            "median_error": near(0.003, 0.001),
            "noise_that_stops_it": near(0.0003, 0.0001),
        },
        baseline={"recovered_share": Estimate(0.0, 0.0, 0.07), "median_error": near(1.5, 0.2)},
        control={"recovered_share": Estimate(0.0, 0.0, 0.07), "median_error": near(1.7, 0.2)},
        p_value=1e-9,
        adjusted_p_value=1e-8,
        explanation="Whoever knows all training rows but one computes the missing row.",
        verdict=RECORD_LEVEL,
    )
    missing = tuple(
        Finding(f"inversion/{name}", "inversion", Outcome.NOT_APPLICABLE, reason="needs gradients, there are scores")
        for name in ("cmaes", "spsa")
    )
    found = leaky()
    played = tuple(Played(f.id, "executed") for f in (persons, fooling, profile, rows))
    return replace(
        found,
        findings=(*found.findings, fooling, persons, profile, rows, *missing),
        coverage={**found.coverage, "inversion": Coverage("inversion", "executed", attacks=played)},
    )


def drawn(technique, verdict, hits, likeness, distance) -> Finding:
    """An attack that drew pictures: recognized with and without a search; like trained, no search, never saw."""
    inside, blind, outside = (near(value, 0.03) for value in likeness)
    recognized, guessed = (near(value, 0.15) for value in hits)
    return Finding(
        id=f"inversion/{technique}",
        family="inversion",
        outcome=Outcome.LEAK if verdict in (RECORD_LEVEL, IDENTITY_LEVEL) else Outcome.NO_LEAK_FOUND,
        access="gradients",
        queries=5200,
        metrics={
            "identified": recognized,
            **{f"identified_by_{judge}": recognized for judge in ("lda", "svm")},
            **{f"identified_by_{judge}_in_5": near(0.92, 0.06) for judge in ("lda", "svm")},
            "resemblance": inside,
            "resemblance_to_class_mean": inside,
            "identified_by_class_mean": recognized,
            "resemblance_to_strangers": near(0.6),
            "ssim_to_class_mean": near(0.64),
            "psnr_to_class_mean": Estimate(17.2, 16.1, 18.3),
            "prior_distance": Estimate(distance, distance - 0.2, distance + 0.2),
            "prior_distance_of_images": Estimate(2.41, 2.41, 2.41),
            "attackers_own_score": Estimate(0.998, 0.99, 1.0),
            "people_per_class": Estimate(5, 5, 5),
        },
        baseline={"identified": guessed, "resemblance": blind, "resemblance_to_class_mean": blind},
        control={"resemblance": outside, "accuracy_of_lda": near(0.97), "accuracy_of_svm": near(0.94)},
        p_value=1e-4 if verdict == IDENTITY_LEVEL else 0.7,
        adjusted_p_value=2e-3 if verdict == IDENTITY_LEVEL else 1.0,
        explanation=f"Pictures drawn by {technique} ({verdict}): recognized {100 * hits[0]:.0f} of 100 times.",
        references=("doi:10.1145/2810103.2813677",),
        verdict=verdict,
        progress=tuple(mark(queries, hits[0] * share) for queries, share in ((10, 0.05), (100, 0.6), (208, 1.0))),
    )


def mark(queries: int, share: float) -> Mark:
    """What a search had after so many queries."""
    own = {} if queries == 10 else {"attackers_own_score": near(0.9, 0.05)}
    return Mark(queries, {"identified": near(share, 0.15), "resemblance_to_class_mean": near(share, 0.03), **own})


def pictures(rng: np.random.Generator, classes: int = 2, shape: tuple[int, ...] = (12, 10), steps: int = 0) -> Pictures:
    """What an attack left behind; with so many pictures along the way."""
    images, ways = rng.random((5, classes, *shape)), rng.random((classes, steps, *shape))
    return Pictures(np.arange(classes), *images, 0.0, 1.0, 10 * np.arange(1, steps + 1), ways)


@cache
def walls() -> tuple[Wall, ...]:
    """The pictures of the two attacks of `looked` that made some."""
    rng, found = np.random.default_rng(5), looked()
    names = ("inversion/gradient", "inversion/nes")
    return tuple(wall(found[name], pictures(rng), ["ann <3", "bob"]) for name in names)


def near(value: float, half: float = 0.02) -> Estimate:
    """A value between 0 and 1 with its interval."""
    return Estimate(value, max(-1.0, value - half), max(value, min(1.0, value + half)))


def guess(hidden, technique, verdict, strong, right, p_value) -> Finding:
    """An attack on a hidden attribute; numbers are those of the attack, the imputation, people it never saw."""
    first, second = ("within_tolerance", "r_squared") if hidden == "dose" else ("attribute_auc", "hit_rate")
    sides = [{first: near(a), second: near(b)} for a, b in zip(strong, right, strict=True)]
    if first == "attribute_auc":
        for side, value in zip(sides, right, strict=True):
            side |= {"balanced_hit_rate": near(value - 0.1), "mcc": near(value - 0.3)}
            side |= {"hit_rate_of_surest": near(min(0.95, value + 0.1)), "attribute_tpr_at_fpr_0.01": near(value / 3)}
    gains = {
        "advantage_over_imputation": near(strong[0] - strong[1], 0.03),
        "advantage_over_nonmembers": near(strong[0] - strong[2], 0.03),
    }
    shares = [near(share, 0.05) for share in (right if first == "attribute_auc" else strong)]
    names = ("hit_rate", "imputation_hit_rate", "nonmembers_hit_rate")
    groups = (
        Slice("class", "<=50K", 1512, 1508, dict(zip(names, shares, strict=True))),
        Slice("class", ">50K", 488, 492, dict(zip(names, shares, strict=True))),
        Slice("native-country", "Holand-Netherlands", 1, 0),
    )
    said = [round(100 * share.value) for share in shares]
    return Finding(
        id=f"attribute/{technique}:{hidden}",
        family="attribute",
        outcome=Outcome.LEAK if verdict == RECORD_LEVEL else Outcome.NO_LEAK_FOUND,
        access="scores",
        queries=28000,
        metrics={**sides[0], **gains},
        baseline=sides[1],
        control=sides[2],
        p_value=p_value,
        adjusted_p_value=None if p_value is None else min(1.0, 12 * p_value),
        explanation=(
            f"Of 100 people whose record the model was trained on, the attack guesses {hidden} right for {said[0]}; of "
            f"100 people whom the model never saw, for {said[2]}. Without the model, {said[1]} of the 100 are guessed "
            "right from what is known of them anyway."
        ),
        slices=groups,
        references=("doi:10.1145/2810103.2813677",),
        subject=hidden,
        verdict=verdict,
    )


def described(name, continuous, strong, right) -> HiddenAttribute:
    """An attribute with four imputations, the last of them the best."""
    first, second = ("within_tolerance", "r_squared") if continuous else ("attribute_auc", "hit_rate")
    names = ("majority", "best single column", "logistic, few people", "boosting, many people, with the label")
    return HiddenAttribute(
        name=name,
        columns=(name,),
        values=12 if continuous else 7,
        continuous=continuous,
        tolerance=8.44 if continuous else 0.0,
        known=("age", "education", "hours-per-week"),
        members=PEOPLE,
        nonmembers=PEOPLE,
        imputations={n: {first: near(a), second: near(b)} for n, a, b in zip(names, strong, right, strict=True)},
        best=names[-1],
        column="age",
    )


def exposure() -> Exposure:
    """Most members are hard to tell, a few are easy."""
    edges = tuple(round(0.3 + 0.05 * i, 2) for i in range(15))
    shares = (0.0, 0.0, 0.0, 0.0, 0.11, 0.37, 0.22, 0.12, 0.07, 0.05, 0.03, 0.02, 0.0065, 0.0035)
    return Exposure(
        shadows=16,
        members=PEOPLE,
        quantiles={"0.5": 0.597, "0.9": 0.781, "0.99": 0.908},
        edges=edges,
        shares=shares,
        certain=0.01,
        most_exposed=50,
        traits=(Trait("rare_class", 0.0, 0.0), Trait("label_doubted", 0.86, 0.17), Trait("isolated", None, 0.05)),
        groups=(
            ExposedGroup("class", "<=50K", 1512, 0.571, 0.70),
            ExposedGroup("class", ">50K", 488, 0.652, 0.84),
            ExposedGroup("native-country", "(small groups together)", 40, 0.611),
        ),
        explanation="Shown one model that was trained on a record and one that was not, an attacker is right.",
    )


def report(
    outcome: Outcome, verdict: str, findings: tuple[Finding, ...], kind: str, exposed: Exposure | None = None
) -> Report:
    return Report(
        outcome=outcome,
        verdict=verdict,
        findings=findings,
        instrument=instrument(),
        coverage=coverage(),
        exposure=exposed,
        target={
            "kind": kind,
            "access": "scores",
            "classes": ["<=50K", ">50K"],
            "source": "models/adult.skops",
            "notes": [],
        },
        sample={"members": PEOPLE, "nonmembers": PEOPLE, "removed_exact": 3, "removed_near": 1},
        settings={"seed": 0, "effort": "quick", "prior": 0.1, "delta": 0.0, "slices": ["native-country"]},
        limits=(
            "An attacker who trains models of their own (shadow models) may do better than the attacks run here.",
            "False positive rates below 0.15% cannot be spoken of with 2,000 non-members.",
        ),
        reproducibility={
            "seed": 0,
            "command": "keepmum audit models/adult.skops --members in.csv --nonmembers out.csv --label income",
            "versions": {"keepmum": "0.1.0", "numpy": "2.4.6", "scikit-learn": "1.9.1"},
            "members_sha256": "9f2c1d7e" * 8,
        },
        keepmum_version="0.1.0",
    )
