"""Search for the settings of one defense, each try measured as a defense is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from keepmum._session import Progress
from keepmum.data import Split
from keepmum.defenses import parse
from keepmum.errors import ConfigError, MissingExtraError
from keepmum.harden._run import harden
from keepmum.harden.frontier import Frontier

Range = tuple[float, float]


def tune(
    trainer: Any,
    split: Split,
    defense: str,
    ranges: Mapping[str, Range],
    *,
    trials: int = 8,
    models: int = 16,
    canaries: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Frontier:
    """Try settings of a defense, and hold all of them against each other.

    Accuracy and the worst leak are searched for together (tree-structured Parzen estimators). Every try is trained and
    attacked as `harden` does, and stays in the result: a search sees the same records again and again, so that the
    best of many tries looks better than it is. A note says how many there were.

    Args:
      trainer: The recipe.
      split: The records.
      defense: Id of one defense, with settings that stay: ``"training/l2"``.
      ranges: Name of a setting → lowest and highest value. Whole numbers for both ends try whole numbers; where both
        are above 0 and differ tenfold or more, values are tried on a logarithmic scale.
      trials: Tries, at least 2.
      models: Models for each try.
      canaries: As in `harden`.
      seed: Of the search and of everything else.
      out: Folder where what models say is kept, and the result is written.
      progress: As in `harden`.

    Raises:
      ConfigError: Fewer than two tries, no ranges, or an unknown setting.
      MissingExtraError: optuna is not installed.

    References:
      Akiba et al. Optuna. KDD 2019, arXiv:1907.10902; Bergstra et al. NeurIPS 2011 (TPE).
    """
    try:
        import optuna
    except ImportError as err:
        raise MissingExtraError("optuna", "tune") from err
    if trials < 2 or not ranges or any(not _rising(ends) for ends in ranges.values()):
        raise ConfigError(
            f"expected at least 2 tries and some ranges, each from a lower to a higher value, got {trials} and "
            f"{dict(ranges)}"
        )
    _named(defense, {name: low for name, (low, _) in ranges.items()})  # a wrong setting is said before any training
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed))
    common: dict[str, Any] = {"models": models, "canaries": canaries, "seed": seed, "progress": progress}
    tried: list[str] = []
    found: Frontier | None = None
    with TemporaryDirectory() as aside:  # what earlier tries said is kept between the calls
        for _ in range(trials):
            trial = study.ask()
            name = _named(defense, {setting: _drawn(trial, setting, *ends) for setting, ends in ranges.items()})
            tried += [name] if name not in tried else []
            found = harden(trainer, split, defenses=tried, out=out or aside, **common)
            row = found.row(parse(name)[0].name)
            if row.metrics:
                study.tell(trial, [row.accuracy, row.leak])
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert found is not None
    note = f"A search of {trials} tries on the same records: the best of them looks better than it is."
    told = replace(found, notes=(*found.notes, note))
    if out is not None:
        told.save(out)
    return told


def _rising(ends: Any) -> bool:
    return isinstance(ends, (tuple, list)) and len(ends) == 2 and ends[0] < ends[1]


def _drawn(trial: Any, name: str, low: float, high: float) -> float:
    log = low > 0 and high / low >= 10
    if isinstance(low, int) and isinstance(high, int):
        return int(trial.suggest_int(name, low, high, log=log))
    return float(f"{trial.suggest_float(name, low, high, log=log):.4g}")


def _named(defense: str, settings: Mapping[str, float]) -> str:
    told = ",".join(f"{name}={value}" for name, value in settings.items())
    whole = f"{defense},{told}" if ":" in defense else f"{defense}:{told}"
    parse(whole)
    return whole
