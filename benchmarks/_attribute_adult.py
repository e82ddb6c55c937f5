"""Adult: sex, race and marital status of 20,000 people in one command, with missing values and a forest's file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from _attribute_people import Side, keepmum, pipeline, save, shuffled, write
from common import Bars, at_least, at_most, others, table

from keepmum.datasets import load_adult

HIDDEN = ("sex", "race", "marital-status")


def people(file: Path | None) -> Side:
    """Census records with gaps where UCI has a question mark."""
    if file is None:
        X, y = load_adult()
    else:
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
        X, y = frame.drop(columns=["income", "uci_split"], errors="ignore"), frame["income"]
    return X.replace("?", None), y.to_numpy()


def measure(quick: bool, file: Path | None = None) -> tuple[Bars, list[dict[str, Any]]]:
    from sklearn.ensemble import RandomForestClassifier

    side = 1_500 if quick else 10_000
    members, strangers, _ = shuffled(people(file), (side, side), 0)
    busy = others()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = pipeline(RandomForestClassifier(random_state=0)).fit(*members)
        save(model, folder / "forest.skops")
        write(members, "income", folder / "members.csv")
        write(strangers, "income", folder / "nonmembers.csv")
        words = ["audit", "forest.skops", "--members", "members.csv", "--nonmembers", "nonmembers.csv"]
        words += ["--label", "income", "--attack", "attribute/*", "--out", "run", "--json"]
        words += [word for column in HIDDEN for word in ("--hidden", column)]
        done = keepmum(*words, folder=folder)
    if done.code not in (0, 3):
        raise SystemExit(f"keepmum {' '.join(words)} ended with {done.code}: {done.err}")
    report = json.loads(done.out.strip().splitlines()[-1])
    return summary(report, done, busy, 2 * side)


def summary(report: dict[str, Any], done: Any, busy: str, given: int) -> tuple[Bars, list[dict[str, Any]]]:
    rows, failed = [], 0
    for finding in report["findings"]:
        failed += finding["outcome"] in ("error", "skipped")
        told = [finding[side].get("attribute_auc") for side in ("metrics", "control", "baseline")]
        words = finding["verdict"] or finding["reason"]
        rows.append([finding["id"], *(t["value"] if t else "" for t in told), f"{finding['queries']:,}", words])
    sample = report["sample"]
    note = (
        f"keepmum audit forest.skops … {' '.join(f'--hidden {column}' for column in HIDDEN)} --attack 'attribute/*': "
        f"{done.wall:.0f} s of wall, {done.cpu:.0f} s of CPU for {given:,} records, of which {sample['members']:,} + "
        f"{sample['nonmembers']:,} are left without copies. {busy}"
    )
    head = ["attack", "members", "non-members", "imputation", "queries", "verdict"]
    shown = table("Adult: AUC of every attack on three attributes", head, rows, note)
    measured = {row[0].split(":")[1] for row in rows if row[1] != ""}
    return {
        "adult_wall_seconds": at_most(done.wall, 120.0),
        "adult_cpu_seconds": at_most(done.cpu, 120.0),
        "adult_attributes_measured": at_least(len(measured & set(HIDDEN)), len(HIDDEN)),
        "adult_failed_or_skipped": at_most(failed, 0),
    }, [shown]
