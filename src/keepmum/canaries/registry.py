"""The registry of canaries: what was drawn, which of each pair was chosen, and where it was mixed in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from keepmum._whole import write_whole
from keepmum.canaries._names import draw_names
from keepmum.canaries.kinds import KINDS, Kind
from keepmum.errors import ConfigError, DataError
from keepmum.texts import Secret, Secrets

FORMAT = 1
REPEATS = (1, 4, 16, 64)
FEWEST_SPARE = 4
"""So many times more secrets of a kind than canaries must there be."""
_DRAWN, _FLIPPED, _NAMED = 0x64726177, 0x666C6970, 0x6E616D65


@dataclass(frozen=True)
class Mixed:
    """Where canaries were mixed in.

    Attributes:
      file: Name of the file that was read.
      sha256: Of that file.
      into: Name of the file that was written.
      into_sha256: Of that file.
      documents: Documents that the file had before.
      added: Documents that were added.
    """

    file: str
    sha256: str
    into: str
    into_sha256: str
    documents: int
    added: int


@dataclass(frozen=True)
class Registry:
    """Canaries in pairs: one planted, one twin that never is, and a fair coin that decided which.

    Attributes:
      seed: Seed of everything random about them.
      planted: ``n`` canaries to be trained on, each as often as it says.
      twins: ``n`` canaries that are not; the one at the same place was drawn together with the planted one.
      mixed: Where they were mixed in, or None.
    """

    seed: int
    planted: tuple[Secret, ...]
    twins: tuple[Secret, ...]
    mixed: Mixed | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of canaries, in the order of the registry."""
        return tuple(dict.fromkeys(secret.kind for secret in self.planted))

    @property
    def documents(self) -> tuple[str, ...]:
        """The documents to be trained on: each planted canary as often as it says."""
        return tuple(secret.text for secret in self.planted for _ in range(secret.repeats))

    @property
    def secrets(self) -> Secrets:
        """What an audit asks about."""
        kinds = [KINDS[name] for name in self.kinds]
        spaces = {kind.name: kind.space for kind in kinds}
        alphabets = {kind.name: kind.alphabets for kind in kinds if kind.alphabets}
        return Secrets(self.planted, self.twins, spaces, alphabets, paired=True)

    def save(self, path: Path | str, *, anew: bool = True) -> None:
        """Write it whole, sealed, readable by its owner alone.

        Raises:
          ConfigError: There is such a file already, and ``anew`` does not allow for that; or no folder to write into.
        """
        file = Path(path)
        if anew and file.exists():
            raise ConfigError(f"{file} is there already: a registry that may be mixed in is not written over")
        if not file.parent.is_dir():
            raise ConfigError(f"{file}: expected a folder to write into, {file.parent} is none")
        content = self._content()
        write_whole(file, json.dumps({**content, "seal": seal(content)}, indent=1) + "\n", mode=0o600)

    def _content(self) -> dict[str, Any]:
        pairs = zip(self.planted, self.twins, strict=True)
        return {
            "canaries": FORMAT,
            "seed": self.seed,
            "kinds": list(self.kinds),
            "pairs": [
                {"kind": planted.kind, "repeats": planted.repeats, "planted": _spoken(planted), "twin": _spoken(twin)}
                for planted, twin in pairs
            ],
            "mixed": None if self.mixed is None else asdict(self.mixed),
        }


def seal(content: Mapping[str, Any]) -> str:
    """Fingerprint of a registry's content: it shows changes, though not those of someone who seals anew."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def load_registry(path: Path | str) -> Registry:
    """Read a registry back.

    Raises:
      DataError: No such file, no registry, one of another version, or one that was changed since it was sealed.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(
            f"expected a registry of canaries, got {file}, which is not there: keepmum canary make writes one"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        version, given = content["canaries"], content.pop("seal")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{file.name} is no registry of canaries: keepmum canary make writes one") from None
    if version != FORMAT:
        raise DataError(f"{file.name} is a registry of version {version!r}, expected {FORMAT}: update keepmum")
    if seal(content) != given:
        raise DataError(f"{file.name} was changed since it was sealed: take the file that keepmum wrote")
    try:
        return _registry(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{file.name} is no whole registry of canaries: take the file that keepmum wrote") from None


def _registry(content: Mapping[str, Any]) -> Registry:
    pairs = content["pairs"]
    planted = tuple(Secret(**pair["planted"], kind=pair["kind"], repeats=int(pair["repeats"])) for pair in pairs)
    twins = tuple(Secret(**pair["twin"], kind=pair["kind"], repeats=0) for pair in pairs)
    unknown = [secret.kind for secret in planted if secret.kind not in KINDS]
    if unknown:
        raise DataError(f"the registry has canaries of a kind {unknown[0]!r} that is not known here: update keepmum")
    return Registry(int(content["seed"]), planted, twins, Mixed(**content["mixed"]) if content["mixed"] else None)


def _spoken(secret: Secret) -> dict[str, str]:
    return {"prefix": secret.prefix, "secret": secret.secret, "suffix": secret.suffix}


def make(
    kinds: Sequence[str] = tuple(KINDS), repeats: Sequence[int] = REPEATS, per_cell: int = 6, seed: int = 0
) -> Registry:
    """Draw canaries in pairs, and flip a coin for each pair.

    Both of a pair are drawn alike: of one kind, with names and secrets of their own, no two secrets of a kind the
    same. A fair coin decides which of them is planted, so that a model that learned nothing cannot tell them apart.

    Args:
      kinds: Kinds of secrets, from `KINDS`.
      repeats: How often canaries stand in the data; each number is given to as many.
      per_cell: Pairs for each kind and each number of repeats.
      seed: Seed of everything random. Whoever knows it knows the canaries.

    Raises:
      ConfigError: An unknown kind, repeats below 1, no pairs, or more pairs than a kind has secrets for.
    """
    _check(kinds, repeats, per_cell)
    cells = [(KINDS[kind], times) for kind in kinds for times in repeats for _ in range(per_cell)]
    names = draw_names(2 * len(cells), np.random.default_rng([seed, _NAMED]))
    coins = np.random.default_rng([seed, _FLIPPED]).integers(0, 2, len(cells))
    rng = np.random.default_rng([seed, _DRAWN])
    taken: set[tuple[str, str]] = set()
    planted, twins = [], []
    for place, (kind, times) in enumerate(cells):
        pair = [_canary(kind, name, taken, rng) for name in names[2 * place : 2 * place + 2]]
        planted.append(replace(pair[coins[place]], repeats=times))
        twins.append(replace(pair[1 - coins[place]], repeats=0))
    return Registry(seed, tuple(planted), tuple(twins))


def _check(kinds: Sequence[str], repeats: Sequence[int], per_cell: int) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds or len(set(kinds)) < len(kinds):
        odd = repr(unknown[0]) if unknown else "none" if not kinds else "some twice"
        raise ConfigError(f"expected kinds of canaries among {', '.join(KINDS)}, got {odd}")
    if not repeats or min(repeats) < 1 or len(set(repeats)) < len(repeats):
        raise ConfigError(f"expected different repeats of at least 1, as in 1,4,16,64, got {list(repeats) or 'none'}")
    if per_cell < 1:
        raise ConfigError(f"expected at least one pair for each kind and number of repeats, got {per_cell}")
    for name in kinds:
        most = int(KINDS[name].space // (2 * FEWEST_SPARE * len(repeats)))
        if per_cell > most:
            raise ConfigError(f"expected at most {most:,} pairs a cell of the kind {name}, got {per_cell:,}")


def _canary(kind: Kind, name: str, taken: set[tuple[str, str]], rng: np.random.Generator) -> Secret:
    """One whose secret no other of the kind has: a twin must not be planted under another name."""
    while True:
        secret = kind.draw(rng)
        if (kind.name, secret) not in taken:
            taken.add((kind.name, secret))
            return Secret(kind.prefix.format(name=name), secret, kind.suffix, kind.name)
