"""What an audit says when the hidden attribute cannot be asked about: one line, and exit code 2."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _attribute_people import Ended, Side, keepmum, save, write
from common import Bars, at_least, table

CASES = {
    "unknown column": ("rase", "did you mean 'race'"),
    "equal to the label": ("twin", "the same as the label"),
    "constant column": ("country", "at least 2 candidate values"),
    "one candidate value": ("only", "at least 2 candidate values"),
    "unseen category": ("race", "unknown categories"),
    "names, not kinds": ("name", "at most 50 candidate values"),
}
"""What is hidden, and words that must be said about it."""
REFUSED = "unseen category"


def people(seed: int, races: tuple[str, ...]) -> Side:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 200)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 80, 200),
            "race": rng.choice(races, 200),
            "twin": np.where(label == 1, "good", "bad"),
            "country": "X",
            "only": np.where(rng.random(200) < 0.5, "yes", None),
            "name": [f"name {place}" for place in rng.integers(0, 90, 200)],
        }
    )
    return frame, label


def refusing() -> Any:
    """A model that knows the races of its members, and refuses others."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    return make_pipeline(
        make_column_transformer((OneHotEncoder(), ["race"]), ("passthrough", ["age"])), LogisticRegression(max_iter=500)
    )


def ask(folder: Path, hidden: str, others: str) -> Ended:
    words = ["audit", "model.skops", "--members", "members.csv", "--nonmembers", others, "--label", "label"]
    words += ["--attack", "attribute/*", "--hidden", hidden, "--json", "--out", f"{hidden}.run"]
    return keepmum(*words, folder=folder)


def reasons(ended: Ended) -> list[str]:
    """Why findings are no measurements, each once; a model may refuse a candidate value when it is asked."""
    if not ended.out.strip():
        return []
    findings = json.loads(ended.out.strip().splitlines()[-1])["findings"]
    return sorted({f["reason"] for f in findings if f["outcome"] == "error"})


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    rows, good = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        members = people(0, ("Asian", "Black", "White"))
        save(refusing().fit(*members), folder / "model.skops")
        write(members, "label", folder / "members.csv")
        write(people(1, ("Asian", "Black", "White")), "label", folder / "others.csv")
        write(people(1, ("Asian", "Black", "Other", "White")), "label", folder / "unseen.csv")
        with ThreadPoolExecutor(2) as pool:
            asked = {
                case: pool.submit(ask, folder, hidden, "unseen.csv" if case == REFUSED else "others.csv")
                for case, (hidden, _) in CASES.items()
            }
        for case, (hidden, words) in CASES.items():
            ended = asked[case].result()
            said = ended.lines if ended.code == 2 else reasons(ended)
            good += len(said) == 1 and words in said[0]
            rows.append([case, f"--hidden {hidden}", ended.code, len(said), said[0] if said else ""])
    shown = table("What cannot be asked", ["case", "asked", "exit code", "lines", "what is said"], rows)
    return {"errors_one_line_and_exit_code_2": at_least(good, len(CASES))}, [shown]
