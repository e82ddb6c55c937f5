"""From settings to what an audit takes: a model, members, non-members, and where they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.errors import ConfigError, KeepmumError

if TYPE_CHECKING:
    from keepmum._sections import Section
    from keepmum.data import Records
    from keepmum.settings import EffortSettings, Settings
    from keepmum.targets import Target

READING = "reading the model and the records"


@dataclass(frozen=True)
class Case:
    """What is to be audited.

    Attributes:
      model: A model, or a target that holds recorded answers.
      members: Records trained on.
      nonmembers: Records not trained on.
      population: The attacker's own records, if any.
      source: Where all that came from, for the report; ``request`` is the fingerprint of files and settings.
      options: Keyword arguments of `keepmum.audit.audit` and `keepmum.audit.plan`.
    """

    model: Target
    members: Records
    nonmembers: Records
    population: Records | None
    source: dict[str, Any]
    options: dict[str, Any]


def configured(model: Path | None, flags: Mapping[str, Section], config: Path | None) -> Settings:
    """All settings, with the model from the command line if it is there.

    Args:
      model: MODEL.
      flags: Sections by name, as the flags set them.
      config: Project file, if one was named.

    Raises:
      ConfigError: A setting cannot be used.
    """
    from keepmum.settings import TargetSettings, load

    target = flags["target"]
    named = target.model_dump(exclude_unset=True)
    if model is not None and named.get("model") is not None:
        raise ConfigError(f"expected one model, got {model} and --model {named['model']}")
    if model is not None:
        target = TargetSettings(**{**named, "model": model})
    return load({**flags, "target": target}, config=config)


def read_case(settings: Settings, scores: tuple[Path, Path] | None) -> Case:
    """Load everything that an audit needs.

    Args:
      settings: All settings.
      scores: Files of recorded answers about members and non-members, instead of a model and records.

    Raises:
      UsageError: Something is missing, or a file cannot be used.
    """
    from keepmum.cli._app import recorded

    files = _files(settings, scores)
    model: Target
    trainer: Any = None
    if scores is not None:
        if settings.target.behind is not None:
            raise ConfigError("--behind: recorded answers are those of the served model already: leave it out")
        from keepmum.tables import read_answers

        model, split = read_answers(*scores)
        members, nonmembers, population = split.members, split.nonmembers, split.population
    else:
        from keepmum.tables import read_population, read_records
        from keepmum.targets.coerce import as_target

        label = _label(settings, files)
        if label in settings.attribute.hidden:
            raise ConfigError(f"--hidden {label}: that is the label, which the attacker is taken to know: hide another")
        members, nonmembers = (read_records(files[side], label) for side in ("members", "nonmembers"))
        population = read_population(files["population"], label) if "population" in files else None
        how = settings.target.model_dump(include={"allow_pickle", "factory", "gives"})
        model = as_target(files["model"], members.y, _labels(settings, members), probe=members, **how)
        if settings.target.behind is not None:
            model, trainer = _served(model, settings.target.behind, settings.audit.seed)
    source = {"command": recorded(), **{name: str(path) for name, path in files.items()}}
    source["request"] = _request(settings, files)
    return Case(model, members, nonmembers, population, source, {**_options(settings), "trainer": trainer})


def _served(model: Target, text: str, seed: int) -> tuple[Target, Any]:
    """The model behind output defenses, and the recipe whose models stand behind them, too; None if it is not known."""
    from keepmum.defenses import behind, defended
    from keepmum.training import as_trainer

    defenses = behind(text, seed)
    try:
        # an attacker's own models answer as often as they are asked
        trainer = defended(as_trainer(model.internals), *(each for each in defenses if not each.limited))
    except KeepmumError:
        trainer = None
    for defense in defenses:
        model = defense.drawn_from(seed).protect(model)
    return model, trainer


def read_sides(settings: Settings) -> tuple[Records, Records, Records | None]:
    """Members, non-members and the population if there is one, where a recipe stands in for the model.

    Raises:
      UsageError: Something is missing, or a file cannot be used.
    """
    from keepmum.tables import read_population, read_records

    files = _files(settings, None, model=False)
    label = _label(settings, files)
    population = read_population(files["population"], label) if "population" in files else None
    return read_records(files["members"], label), read_records(files["nonmembers"], label), population


def read_members(settings: Settings) -> Records:
    """Members alone.

    Raises:
      UsageError: Something is missing, or the file cannot be used.
    """
    from keepmum.tables import read_records

    path = settings.data.members
    if path is None or not path.is_file():
        raise ConfigError(f"expected --members FILE, or members in [data] of keepmum.toml, got {path or 'nothing'}")
    label = settings.data.label
    if label is None and path.suffix.lower() in (".npz", ".npy"):
        label = "y"
    return read_records(path, _needed(label, "--label COLUMN", "label in [data]"))


def _label(settings: Settings, files: dict[str, Path]) -> str:
    """The column of the label; files of arrays have a name for it."""
    sides = [files[side].suffix.lower() for side in ("members", "nonmembers")]
    if settings.data.label is None and all(suffix in (".npz", ".npy") for suffix in sides):
        return "y"
    label: str = _needed(settings.data.label, "--label COLUMN", "label in [data]")
    return label


def _labels(settings: Settings, members: Records) -> list[Any] | None:
    """The classes that were given: numbers where the labels are numbers, since a command line knows only texts."""
    given = settings.target.classes
    if not given:
        return None
    if members.y.dtype.kind in "iufb":
        try:
            return [float(text) if "." in text else int(text) for text in given]
        except ValueError:
            raise ConfigError(f"--classes: expected numbers, as the labels are, got {', '.join(given)}") from None
    return list(given)


def _files(settings: Settings, scores: tuple[Path, Path] | None, model: bool = True) -> dict[str, Path]:
    """Every file that will be read, by role; all must be there before any is read."""
    if scores is not None:
        files = {"members": scores[0], "nonmembers": scores[1]}
    else:
        data = settings.data
        files = {
            **({"model": _needed(settings.target.model, "a MODEL file", "model in [target]")} if model else {}),
            "members": _needed(data.members, "--members FILE", "members in [data]"),
            "nonmembers": _needed(data.nonmembers, "--nonmembers FILE", "nonmembers in [data]"),
        }
        if data.population is not None:
            files["population"] = data.population
    for role, path in files.items():
        if not path.is_file():
            raise ConfigError(
                f"{role}: expected a file, got {path}, which {'is a folder' if path.is_dir() else 'is not there'}"
            )
    return files


def _needed(value: Any, flag: str, key: str) -> Any:
    if value is None:
        from keepmum.cli._app import COMMAND

        recorded = COMMAND.get()[:1] in (("audit",), ("plan",), ("gate",))
        hint = "; recorded answers need neither: --scores FILE FILE" if recorded else ""
        raise ConfigError(f"expected {flag}, or {key} of keepmum.toml{hint}")
    return value


def _request(settings: Settings, files: dict[str, Path]) -> str:
    """Fingerprint of all that was asked for: the same request continues an interrupted run."""
    import keepmum

    asked = settings.model_dump(
        mode="json",
        include={"target": {"allow_pickle", "behind", "classes", "factory", "gives"}, "data": {"label", "slices"}},
    )
    asked["audit"] = settings.audit.model_dump(
        mode="json", exclude={"out", "jobs", "shadow_store", "engine", "address", "include_restricted"}
    )
    asked["attribute"] = settings.attribute.model_dump(mode="json")
    asked["images"] = settings.images.model_dump(mode="json")
    asked["keepmum"] = keepmum.__version__
    asked["files"] = {role: _sha256(path) for role, path in sorted(files.items())}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _options(settings: Settings) -> dict[str, Any]:
    audit = settings.audit
    return {
        "attacks": list(audit.attacks) or None,
        "seed": audit.seed,
        "effort": audit.effort.value,
        "prior": audit.prior,
        "delta": audit.delta,
        "slices": list(settings.data.slices),
        "max_queries": audit.max_queries,
        "repeats": audit.repeats,
        "seconds": audit.budget,
        "shadows": audit.shadows,
        "shadow_store": audit.shadow_store,
        "include_restricted": audit.include_restricted,
        "hidden": settings.attribute.hidden,
        "known": settings.attribute.known or None,
        "tolerance": settings.attribute.tolerance,
        "images": settings.images,
    }


@contextmanager
def cores(how: EffortSettings) -> Iterator[None]:
    """Keep everything inside to so many processor cores, and train shadow models where it was said.

    Raises:
      ConfigError: The engine cannot be used like this.
      MissingExtraError: It is not installed.
    """
    from keepmum.settings import AuditSettings
    from keepmum.training import engine

    name, address = (how.engine, how.address) if isinstance(how, AuditSettings) else ("local", None)
    with engine(name, address, how.jobs):
        if how.jobs is None:
            yield
            return
        import joblib
        from threadpoolctl import threadpool_limits

        with joblib.parallel_config(n_jobs=how.jobs), threadpool_limits(how.jobs):
            yield
