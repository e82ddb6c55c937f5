"""A hardened model on disk: the model, and what stands in front of its answers beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from keepmum._version import __version__
from keepmum._whole import write_whole
from keepmum.data import Records
from keepmum.defenses import Defense, OutputDefense, defended
from keepmum.defenses.training.pate import Voted
from keepmum.errors import ConfigError, MissingExtraError
from keepmum.training import SklearnTrainer, Trainer
from keepmum.training.private import PrivateTrainer
from keepmum.training.private_logistic import PrivateLogisticRegression
from keepmum.training.statement import Statement, searched


def write(
    recipe: Trainer, defenses: Sequence[Defense], records: Records, folder: Path, seed: int, tried: int | None
) -> Path:
    """Train on all records, and write the model, ``defense.json`` and, of private training, ``statement.md``.

    Args:
      recipe: Without defenses.
      defenses: Those of training are in the model; those of the answers are told in ``defense.json``, as ``--behind``
        takes them.
      records: Whom it is trained on.
      folder: A new one.
      seed: Of the training. Private training takes none: noise that a seed tells hides nothing.
      tried: Trainings of other settings on the same records before, for the statement.

    Raises:
      ConfigError: The folder holds something, or the model is of a kind that is not written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: give a new folder")
    outputs = [each for each in defenses if isinstance(each, OutputDefense)]
    trainer = released(defended(recipe, *(each for each in defenses if not isinstance(each, OutputDefense))), tried)
    model, statement = _trained(trainer, records, seed)
    if statement is not None and tried is not None and statement.search == searched(None):
        statement = replace(statement, search=searched(tried))
    path = _saved(model, folder)
    told: dict[str, Any] = {
        "defense": " + ".join(each.name for each in defenses) or "none",
        "behind": " + ".join(each.name for each in outputs) or None,
        "seed": seed if statement is None else None,
        "records": len(records),
        "keepmum_version": __version__,
    }
    if statement is not None:
        told["statement"] = statement.to_dict()
        write_whole(folder / "statement.md", statement.to_markdown())
    write_whole(folder / "defense.json", json.dumps(told, indent=2) + "\n")
    return path


def released(trainer: Trainer, tried: int | None = None) -> Trainer:
    """The recipe with private training, wherever it is in it, drawn from the operating system's randomness."""
    if isinstance(trainer, PrivateTrainer):
        return replace(trainer, secure=True, tried=tried if trainer.tried is None else trainer.tried)
    if not is_dataclass(trainer):
        return trainer
    inner = {each.name: getattr(trainer, each.name) for each in fields(trainer)}
    changes: dict[str, Any] = {name: released(one, tried) for name, one in inner.items() if isinstance(one, Trainer)}
    changes |= {"secure": True} if "secure" in inner else {}
    return replace(trainer, **changes)


def _trained(trainer: Trainer, records: Records, seed: int) -> tuple[Any, Statement | None]:
    """The model itself, and what can be said of private training."""
    if isinstance(trainer, SklearnTrainer) and type(trainer.estimator) is PrivateLogisticRegression:
        settings = {**trainer.estimator.get_params(), "random_state": None}
        model = PrivateLogisticRegression(**settings).fit(records.X, records.y)
        return model, model.statement_
    model = trainer.train(records, seed).internals
    if isinstance(trainer, Voted):
        with suppress(MissingExtraError):
            return model, trainer.statement()
    return model, trainer.statement(len(records)) if isinstance(trainer, PrivateTrainer) else None


def _saved(model: Any, folder: Path) -> Path:
    kind = type(model).__name__
    if not hasattr(model, "get_params") and not hasattr(model, "state_dict"):
        raise ConfigError(f"expected a scikit-learn estimator or a torch module to write, got {kind}: save it yourself")
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "get_params"):
        import skops.io

        path = folder / "model.skops"
        skops.io.dump(model, path)
        return path
    from safetensors.torch import save_file

    path = folder / "model.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return path
