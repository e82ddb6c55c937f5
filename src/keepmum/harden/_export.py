"""A hardened model on disk: the model, and the defenses of its answers beside it."""

from __future__ import annotations

import json
from pathlib import Path

from keepmum._version import __version__
from keepmum._whole import write_whole
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.training import Trainer


def write(trainer: Trainer, name: str, records: Records, folder: Path, seed: int) -> Path:
    """Train on all records and write ``model.skops`` or ``model.safetensors``, and ``defense.json``.

    Raises:
      ConfigError: The folder holds something, or the model is of a kind that is not written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: give a new folder")
    model = trainer.train(records, seed).internals
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "get_params"):
        import skops.io

        path = folder / "model.skops"
        skops.io.dump(model, path)
    elif hasattr(model, "state_dict"):
        from safetensors.torch import save_file

        path = folder / "model.safetensors"
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    else:
        kind = type(model).__name__
        raise ConfigError(f"expected a scikit-learn estimator or a torch module to write, got {kind}: save it yourself")
    told = {"defense": name, "seed": seed, "records": len(records), "keepmum_version": __version__}
    write_whole(folder / "defense.json", json.dumps(told, indent=2) + "\n")
    return path
