"""What was asked of an audit, besides the model and the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from keepmum.choices import Effort
from keepmum.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """What decides the findings, besides the model and the records.

    Attributes:
      seed: Seed of everything random.
      effort: How much work may be done.
      prior: Declared share of members among the people an attacker asks about, between 0 and 1.
      delta: Delta of the privacy claim that `epsilon_lower_bound` speaks about, 0 … 1.
      slices: Columns to report groups by.
      max_queries: Rows that the model may be asked about, or None; people are sampled to fit.
      seconds: Time after which no further attack is begun, or None.
      shadows: Shadow models to train, 0 or even; None leaves it to the effort and the time.
      repeats: How often the model is asked for every answer; noise in its answers averages out.
      hidden: Hidden attributes to ask about, as a person names them.
      known: Columns that the attacker knows; all that are not hidden if None.
      tolerance: How far a guessed number may be off, in standard deviations.
      images: What was said about the search of pictures, by name.
      fitted: Shadow models that fit into the time, where that decides.
    """

    seed: int = 0
    effort: Effort = Effort.STANDARD
    prior: float = 0.1
    delta: float = 0.0
    slices: tuple[str, ...] = ()
    max_queries: int | None = None
    seconds: float | None = None
    shadows: int | None = None
    repeats: int = 1
    hidden: tuple[str, ...] = ()
    known: tuple[str, ...] | None = None
    tolerance: float = 0.5
    images: Mapping[str, Any] = field(default_factory=dict)
    fitted: int | None = None

    def __post_init__(self) -> None:
        for name in ("seed", "prior", "delta", "max_queries", "seconds", "shadows", "repeats", "tolerance"):
            value = getattr(self, name)
            whole = name in ("seed", "max_queries", "shadows", "repeats")
            if value is not None and not isinstance(value, Integral if whole else Real):
                raise ConfigError(f"expected {name} as a {'whole ' if whole else ''}number, got {value!r}")
        if not 0 < self.prior < 1:
            raise ConfigError(f"expected prior between 0 and 1, got {self.prior}")
        if not self.tolerance > 0:
            raise ConfigError(f"expected a tolerance above 0, in standard deviations, got {self.tolerance}")
        if not 0 <= self.delta < 1:
            raise ConfigError(f"expected delta of at least 0 and below 1, got {self.delta}")
        if self.seed < 0:
            raise ConfigError(f"expected a seed of at least 0, got {self.seed}")
        if self.max_queries is not None and self.max_queries < 2:
            raise ConfigError(f"expected max_queries of at least 2, got {self.max_queries}")
        if self.repeats < 1:
            raise ConfigError(f"expected repeats of at least 1, got {self.repeats}")
        if self.shadows is not None and (self.shadows < 0 or self.shadows % 2):
            raise ConfigError(f"expected an even number of shadow models, or 0, got {self.shadows}: they come in pairs")

    @property
    def models(self) -> int:
        """Shadow models to train: as many as were asked for, else as fit into the time, else as the effort says."""
        return next(n for n in (self.shadows, self.fitted, self.effort.shadows) if n is not None)

    @property
    def shadows_by(self) -> str:
        """What decided the number of shadow models: ``"number"``, ``"budget"`` or ``"effort"``."""
        return "number" if self.shadows is not None else "effort" if self.fitted is None else "budget"


def asked(effort: str, slices: Sequence[str], **others: object) -> Settings:
    """Settings from what a caller wrote.

    Raises:
      ConfigError: A setting cannot be used.
    """
    if effort not in list(Effort):
        raise ConfigError(f"expected effort quick, standard or thorough, got {effort!r}")
    columns = (slices,) if isinstance(slices, str) else tuple(slices)
    others["hidden"] = _names("hidden", others.get("hidden")) or ()
    others["known"] = _names("known", others.get("known"))
    return Settings(effort=Effort(effort), slices=columns, **others)  # type: ignore[arg-type]


def _names(what: str, given: object) -> tuple[str, ...] | None:
    """Columns that a caller named: one, several, or None."""
    if given is None or isinstance(given, str):
        return None if given is None else (given,)
    names = tuple(given) if isinstance(given, Iterable) else (given,)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise ConfigError(f"expected {what} as names of columns, which are texts, got {odd[0]!r}")
    return names
