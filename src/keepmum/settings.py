"""What can be set, in one model that flags, environment, project file and Python share.

A value comes from the first of: a flag, the variable ``KEEPMUM_SECTION_NAME``, the project file (``keepmum.toml``, or
``[tool.keepmum]`` in ``pyproject.toml``, searched upwards), the default. Unknown keys are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BeforeValidator, Field, ValidationError

from keepmum._sections import DpSettings as DpSettings
from keepmum._sections import HardenSettings as HardenSettings
from keepmum._sections import ImageSettings as ImageSettings
from keepmum._sections import Section
from keepmum._sections import TextSettings as TextSettings
from keepmum._values import Limit, Switch, Texts, listed, seconds
from keepmum.choices import Doubt, Effort, EngineName, Gives
from keepmum.errors import ConfigError


class TargetSettings(Section):
    """What is audited."""

    model: Path | None = Field(default=None, description="Model file: the same as MODEL.")
    allow_pickle: Switch = Field(
        default=False,
        description="Load a file that can run code (pickle, joblib, TorchScript, torch.export) in a worker process; "
        "the report says so.",
    )
    classes: Texts = Field(
        default=(),
        description="Labels in the order of the model's probabilities, comma separated, where the file lacks them.",
    )
    factory: str | None = Field(
        default=None,
        description="For weights (.safetensors, or a state dict): your function that builds the torch module, as "
        "package.module:function; imported from the working folder or the installed packages.",
    )
    gives: Gives = Field(default=Gives.LOGITS, description="What a torch module gives: logits or probabilities.")
    behind: str | None = Field(
        default=None,
        description="Output defense that the model is served behind, such as output/rounding:decimals=1; a + joins "
        "several. Shadow models stand behind it, too.",
    )


class SideSettings(Section):
    """Whose records are asked about: the options that every verb with records has."""

    members: Path | None = Field(
        default=None, description="Records that the model was trained on: CSV, Parquet, npz or npy."
    )
    nonmembers: Path | None = Field(default=None, description="Records of the same kind that it was not trained on.")
    population: Path | None = Field(
        default=None, description="The attacker's own records, if any; labels may be missing."
    )
    label: str | None = Field(default=None, description="Column that holds the label.")


class DataSettings(SideSettings):
    """Whose records are asked about."""

    slices: Annotated[Texts, Parameter(name="--slice", show_default=False)] = Field(
        default=(), description="Column to report groups of people by; may be repeated."
    )


class EffortSettings(Section):
    """How much is spent, and the seed: the options that every measuring verb has."""

    seed: int = Field(default=0, ge=0, description="Seed of everything random; the same seed gives the same report.")
    jobs: int | None = Field(
        default=None,
        ge=1,
        description="Processor cores to use; shadow models are trained one fleet at a time unless said.",
    )
    effort: Effort = Field(default=Effort.STANDARD, description="How much work the audit may cost.")
    budget: Annotated[float | None, BeforeValidator(seconds), Parameter(metavar="DURATION")] = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Time to stop after, such as 90s, 15m or 1h30m: decides how many shadow models are trained, and "
        "what is not begun by then is skipped.",
    )


class AuditSettings(EffortSettings):
    """How the audit is made."""

    max_queries: int | None = Field(default=None, ge=1, description="Rows that the model may be asked about.")
    repeats: int = Field(
        default=1, ge=1, description="Times the model is asked for every answer, to average noise away; 1 unless said."
    )
    attacks: Annotated[Texts, Parameter(name="--attack", show_default=False, allow_leading_hyphen=True)] = Field(
        default=(),
        description="Attack to play, such as membership/loss or 'membership/*'; '-membership/entropy' leaves one out.",
    )
    prior: float = Field(
        default=0.1, gt=0, lt=1, description="Share of members among the people an attacker would ask about."
    )
    delta: float = Field(
        default=0.0, ge=0, lt=1, description="Delta of the privacy claim that epsilon_lower_bound speaks about."
    )
    shadows: int | None = Field(
        default=None, ge=0, description="Shadow models to train, an even number; by effort none, 8 or 64 unless said."
    )
    shadow_store: Path | None = Field(
        default=None,
        description="Folder where what shadow models say is kept between runs; in the run folder unless said.",
    )
    engine: EngineName = Field(default=EngineName.LOCAL, description="Where shadow models are trained.")
    address: str | None = Field(
        default=None,
        description="Scheduler of the cluster of --engine dask or ray; a cluster on this machine unless said.",
    )
    out: Path | None = Field(default=None, description="Folder of the run; .keepmum/runs/… unless said.")
    include_restricted: Switch = Field(
        default=False,
        description="Show reconstructed pictures in report.html too; they show real people.",
    )


class AttributeSettings(Section):
    """What attackers want to learn about a person, and what they know."""

    hidden: Texts = Field(
        default=(),
        description="Column that an attacker wants to learn; may be repeated. a+b: columns guessed in combination, or "
        "a one-hot group; name=a+b calls them something.",
    )
    known: Texts = Field(
        default=(),
        description="Column that this attacker knows, besides the label; all that are not hidden unless said.",
    )
    tolerance: float = Field(
        default=0.5,
        gt=0,
        allow_inf_nan=False,
        description="A guessed number is right if it is off by at most this many standard deviations.",
    )


class PolicySettings(Section):
    """What the gate asks of a report."""

    extends: str = Field(default="default", description="Policy to start from: default or tre.")
    fail_on: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = Field(
        default=None, description="Outcomes of a finding that fail the gate."
    )
    max: Mapping[str, Limit] = Field(default_factory=dict, description="Upper limit of a metric in every finding.")
    min: Mapping[str, Limit] = Field(default_factory=dict, description="Lower limit of a metric in every finding.")
    on_inconclusive: Doubt | None = Field(default=None, description="What to do when the numbers cannot decide.")


class Settings(Section):
    """All sections."""

    target: TargetSettings = TargetSettings()
    data: DataSettings = DataSettings()
    audit: AuditSettings = AuditSettings()
    attribute: AttributeSettings = AttributeSettings()
    images: ImageSettings = ImageSettings()
    text: TextSettings = TextSettings()
    harden: HardenSettings = HardenSettings()
    dp: DpSettings = DpSettings()
    policy: PolicySettings = PolicySettings()


FLAGS: Mapping[str, str] = {
    "slices": "--slice",
    "attacks": "--attack",
    **{f"images.{key}": f"--image-{key}" for key in ("prior", "components", "classes", "queries")},
    "text.field": "--text-field",
    "text.served": "--served-model",
    "harden.defenses": "--defense",
}
"""Fields whose flag is not their name; with their section where another has a field of that name."""

LISTS = frozenset({"classes", "slices", "attacks", "fail_on", "hidden", "known"})
"""Fields that take several values, comma separated in a flag or a variable."""

PATHS = frozenset(
    {
        ("target", "model"),
        ("data", "members"),
        ("data", "nonmembers"),
        ("data", "population"),
        ("audit", "out"),
        ("audit", "shadow_store"),
        ("text", "secrets"),
        ("text", "reference"),
        ("harden", "out"),
        ("dp", "out"),
    }
)
"""Fields that are relative to the project file when they come from it."""

Layer = dict[tuple[str, str], tuple[Any, str]]
"""Values, and where each came from, by section and key."""


def load(
    flags: Mapping[str, Section] | None = None,
    *,
    config: Path | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Merge flags, environment and project file, in that order of precedence, and check the whole.

    Args:
      flags: Sections by name; only the fields that were set in them count.
      config: Project file to read instead of searching for one.
      folder: Where the search for a project file begins; the working folder by default.
      environ: Environment; that of the process by default.

    Raises:
      ConfigError: A key is unknown, or a value of the wrong type or out of range.
    """
    import os

    layers = [
        _from_file(config if config is not None else find(folder or Path.cwd())),
        _from_environ(os.environ if environ is None else environ),
        _from_flags(flags or {}),
    ]
    merged: dict[str, dict[str, Any]] = {name: {} for name in Settings.model_fields}
    origin: dict[tuple[str, str], str] = {}
    for layer in layers:
        for (section, key), (value, source) in layer.items():
            merged[section][key] = value
            origin[section, key] = source
    try:
        return Settings.model_validate(merged)
    except ValidationError as err:
        raise ConfigError(one_line(err, origin)) from None


def find(folder: Path) -> Path | None:
    """The nearest ``keepmum.toml``, or ``pyproject.toml`` with a table ``[tool.keepmum]``, at or above a folder.

    Raises:
      ConfigError: A file on the way cannot be read.
    """
    for place in (folder.resolve(), *folder.resolve().parents):
        if (place / "keepmum.toml").is_file():
            return place / "keepmum.toml"
        project = place / "pyproject.toml"
        if project.is_file() and "keepmum" in _parse(project).get("tool", {}):
            return project
    return None


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror}): give a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: expected TOML, got {err}") from None


def _from_file(path: Path | None) -> Layer:
    if path is None:
        return {}
    table = _parse(path)
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("keepmum", {})
    found: Layer = {}
    for section, values in table.items():
        model = _section(section, f"{path}: table [{section}]")
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected [{section}] to be a table, got {values!r}")
        for key, value in values.items():
            where = f"{path}: [{section}] {key}"
            known_key(key, model, where)
            at_file = (section, key) in PATHS and isinstance(value, str)
            found[section, key] = (path.parent / value if at_file else value, where)
    return found


def _from_environ(environ: Mapping[str, str]) -> Layer:
    found: Layer = {}
    for name in sorted(environ):
        prefix, _, rest = name.partition("_")
        section, _, key = rest.lower().partition("_")
        if prefix != "KEEPMUM" or not key:
            continue
        if section not in Settings.model_fields:
            if did_you_mean(section, Settings.model_fields):
                _section(section, name)
            continue  # not ours to judge
        known_key(key, _section(section, name), name)
        found[section, key] = (_listing(section, key, environ[name]), name)
    return found


def _from_flags(flags: Mapping[str, Section]) -> Layer:
    found: Layer = {}
    for section, model in flags.items():
        for key in model.model_fields_set:
            value = getattr(model, key)
            if _is_list(section, key) and value is not None:
                value = tuple(part for text in value for part in _listing(section, key, text))
            found[section, key] = (value, flag(key, section))
    return found


def _is_list(section: str, key: str) -> bool:
    return key in LISTS and section not in ("images", "text")


def _listing(section: str, key: str, text: str) -> Any:
    """The value of a variable as a project file would hold it."""
    if _is_list(section, key):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if key in ("max", "min"):
        return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in text.split(","))}
    return text


def flag(key: str, section: str = "") -> str:
    """How a field is spelled on the command line."""
    return FLAGS.get(f"{section}.{key}", FLAGS.get(key, f"--{key.replace('_', '-')}"))


def _section(name: str, where: str) -> type[Section]:
    if name not in Settings.model_fields:
        raise ConfigError(f"{where} is unknown; {_hint(name, Settings.model_fields)}")
    return type(Settings.model_fields[name].default)


def known_key(key: str, model: type[Section], where: str) -> None:
    """Refuse a field that a section does not have.

    Raises:
      ConfigError: It has none of that name.
    """
    if key not in model.model_fields:
        raise ConfigError(f"{where} is unknown; {_hint(key, model.model_fields)}")


def _hint(word: str, known: Iterable[str]) -> str:
    near = did_you_mean(word, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest, or None if none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def one_line(err: ValidationError, origin: Mapping[tuple[str, str], str] | None = None) -> str:
    """The first complaint of pydantic, in one line that names where the value came from.

    Args:
      err: What pydantic raised, about `Settings` or about one section of flags.
      origin: Where each value came from, by section and key; flags by default. Of a section by itself, an empty one
        leaves the names as they are.
    """
    first, more = err.errors(include_url=False)[0], err.error_count() - 1
    place = [str(part) for part in first["loc"]]
    if origin is not None and len(place) >= 2:
        place = [origin.get((place[0], place[1]), f"[{place[0]}] {place[1]}"), *place[2:]]
    elif place and origin is None:
        kinds = {type(field.default).__name__: name for name, field in Settings.model_fields.items()}
        place = [flag(place[0], kinds.get(err.title, "")), *place[1:]]
    complaint = str(first["msg"]).removeprefix("Value error, ")
    if not complaint.startswith("expected"):
        complaint = re.sub(r"^Input should be", "expected", complaint, count=1)
        complaint = f"{complaint[:1].lower()}{complaint[1:]}, got {first['input']!r}"
    return f"{' '.join(place)}: {complaint}{f' (and {more} more)' if more else ''}"
