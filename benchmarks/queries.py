"""Attacks without shadow models: what each finds, how many rows it asks about, and the processor time it takes.

Three models of Adult (a default forest, a boosting, a network) and, as a check, a regularized logistic regression.
Run ``python benchmarks/queries.py`` for a table; with ``--json`` the last line is machine-readable; ``--quick`` takes
fewer people.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

from common import at_least, at_most, finish, parser, table, tpr

from keepmum.attacks import Context, default_attacks
from keepmum.attacks.membership import Correctness, Loss, MembershipAttack, QuantileRegression, QueryAttack
from keepmum.data import Records, Split
from keepmum.overlap import remove_overlap
from keepmum.stats.area import auc_value
from keepmum.targets import from_sklearn
from keepmum.targets._base import answers
from keepmum.targets._remembered import remembered

PLAIN = (Loss, Correctness)
"""One question a record: what the others are compared with."""


def models() -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    return {
        "forest": RandomForestClassifier(random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=300, random_state=0),
        "network": MLPClassifier((64,), max_iter=60, random_state=0),
        "regression": LogisticRegression(C=0.05, max_iter=1000),
    }


def trained(people: int) -> Iterator[tuple[str, Any, Split]]:
    """Each model behind a memory that knows everybody already, and the split that it is attacked on."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from keepmum.datasets import load_adult

    X, y = load_adult(people, 0)
    half, labels = len(y) // 2, y.to_numpy()
    given = Split(Records(X[:half], labels[:half]), Records(X[half:], labels[half:]))
    clean = remove_overlap(given)[0]
    for name, last in models().items():
        columns = make_column_transformer(
            (
                OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
            (StandardScaler(), make_column_selector(dtype_include="number")),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a network that has not converged
            model = make_pipeline(columns, last).fit(given.members.X, given.members.y)
        target = remembered(from_sklearn(model))
        answers(target, clean.pool)
        yield name, target, clean


def played(attack: MembershipAttack[Any], target: Any, split: Split) -> dict[str, Any]:
    """One attack: rows, processor time, power."""
    began, asked = time.process_time(), target.queries
    _, inside, scores = attack.scores(target, split, Context(attack=attack.name))
    spent = time.process_time() - began
    mine, theirs = scores[inside], scores[~inside]
    return {
        "people": len(scores),
        "rows": target.queries - asked,
        "seconds": spent,
        "auc": auc_value(mine, theirs),
        "tpr": tpr(mine, theirs, 0.01),
    }


def main() -> None:
    chosen = parser(__doc__).parse_args()
    attacks = [a for a in default_attacks() if isinstance(a, (*PLAIN, QueryAttack, QuantileRegression))]
    attacks = [a for a in attacks if a.name == a.id]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, target, split in trained(8_000 if chosen.quick else 40_000):
        for attack in attacks:
            found[name, attack.id] = played(attack, target, split)
    head = ["model", "attack", "people", "rows", "CPU s", "AUC", "TPR@1 %"]
    rows = [[model, attack, *each.values()] for (model, attack), each in found.items()]
    shown = table("Attacks without shadow models, Adult", head, rows)
    plain = {cls.id for cls in PLAIN}
    bars = {
        "cpu_seconds_forest": at_most(
            sum(e["seconds"] for (m, a), e in found.items() if m == "forest" and a not in plain), 20
        ),
        "silent_on_regression": at_most(max(e["auc"] for (m, _), e in found.items() if m == "regression"), 0.53),
    }
    for model in ("forest", "boosting", "network"):
        best = max(e["auc"] for (m, a), e in found.items() if m == model and a not in plain)
        bars[f"auc_beyond_loss_{model}"] = at_least(best - found[model, "membership/loss"]["auc"], 0.01)
    finish(bars, chosen.json, tables=[shown])


if __name__ == "__main__":
    main()
