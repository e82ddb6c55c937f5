"""A folder with files as users have them, audited once for all tests of the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from keepmum.cli import main

PEOPLE = 400


def answers(path: Path, lead: float, seed: int) -> Path:
    """Recorded answers about people: the model is ``lead`` surer of them than of nobody."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, PEOPLE)
    right = np.clip(rng.beta(4, 2, PEOPLE) + lead, 0.01, 0.99)
    one = np.where(label == 1, right, 1 - right)
    frame = pd.DataFrame({"label": label, "p_0": 1 - one, "p_1": one, "age": rng.normal(size=PEOPLE)})
    frame.assign(group=rng.choice(["a", "b"], PEOPLE)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded answers of a leaky and a tight model; records, and a model of them."""
    import skops.io
    from sklearn.tree import DecisionTreeClassifier

    folder = tmp_path_factory.mktemp("files")
    answers(folder / "leaky.csv", 0.25, 1)
    answers(folder / "tight.csv", 0.0, 2)
    answers(folder / "others.csv", 0.0, 3)
    rng = np.random.default_rng(4)
    for name in ("train", "heldout"):
        frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
        frame.assign(y=rng.integers(0, 2, 200)).to_csv(folder / f"{name}.csv", index=False)
    train = pd.read_csv(folder / "train.csv")
    model = DecisionTreeClassifier(random_state=0).fit(train[["a", "b", "c"]], train["y"])
    skops.io.dump(model, folder / "model.skops")
    (folder / "model.pkl").write_bytes(b"\x80\x04\x95\x00\x00\x00\x00.")
    return folder


@pytest.fixture(scope="session")
def audited(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs: ``leaky`` and ``tight``."""
    folder = tmp_path_factory.mktemp("audited")
    for name in ("leaky", "tight"):
        out = folder / ".keepmum" / "runs" / name
        assert main(["audit", "--scores", f"{files}/{name}.csv", f"{files}/others.csv", "--out", str(out), "-q"]) == 0
    return folder


@pytest.fixture
def keepmum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in an empty folder and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run
