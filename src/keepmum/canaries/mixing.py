"""Canaries into training data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keepmum._whole import write_whole
from keepmum.canaries._corpus import read_corpus
from keepmum.canaries.kinds import KINDS
from keepmum.canaries.registry import Mixed, Registry
from keepmum.errors import ConfigError, DataError

TELLING = 1e8
"""A secret of so many that there could be stands nowhere by chance; a number of four digits does."""
_PLACED = 0x706C6163


def mix(
    registry: Registry, data: Path | str, out: Path | str, field: str = "text", lines: bool | None = None
) -> Registry:
    """Write a file that holds the documents of another, in their order, and the planted canaries between them.

    Every canary is a document of its own, as often as it says, at random places that follow from the registry's seed.
    Other fields of its row are empty. Twins are not written, and must not stand in the documents. The same registry
    goes into one file only; mixing it into the same file again gives the same file.

    Args:
      registry: Canaries.
      data: JSONL, CSV, TSV, Parquet or plain text; it is left as it is.
      out: File to write, of the same form; it must not be there yet.
      field: Field or column that holds the document.
      lines: Plain text only: see `keepmum.canaries._corpus.read_corpus`.

    Returns:
      The registry, which now says what it was mixed into: save it.

    Raises:
      ConfigError: The file to write is there already or has another form, or the registry was mixed into other data.
      DataError: The documents cannot be read, or canaries stand among them.
      MissingExtraError: Parquet without pyarrow.
    """
    source, target = Path(data), Path(out)
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} is there already: name a new file for the mixed data")
    if target.suffix.lower() != source.suffix.lower():
        raise ConfigError(f"expected a file {source.suffix} to write, as {source.name} is one, got {target.name}")
    if not target.parent.is_dir():
        raise ConfigError(f"{target}: expected a folder to write into, {target.parent} is none")
    corpus = read_corpus(source, field, lines)
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    if registry.mixed is not None and registry.mixed.sha256 != before:
        raise ConfigError(
            f"these canaries are in {registry.mixed.into} already: make other ones for {source.name}, or their repeats "
            "are wrong"
        )
    refuse_known(registry, corpus.texts)
    documents = registry.documents
    content = corpus.render(places(len(corpus.texts), documents, registry.seed))
    write_whole(target, content)
    after = hashlib.sha256(content).hexdigest()
    return replace(registry, mixed=Mixed(source.name, before, target.name, after, len(corpus.texts), len(documents)))


def places(count: int, new: Sequence[str], seed: int) -> list[int | str]:
    """Documents 0 … ``count - 1`` in their order, and new ones in random order at random places between them."""
    rng = np.random.default_rng([seed, _PLACED])
    shuffled = [new[each] for each in rng.permutation(len(new)).tolist()]
    order: list[int | str] = []
    done = 0
    for text, before in zip(shuffled, np.sort(rng.integers(0, count + 1, len(new))).tolist(), strict=True):
        order += [*range(done, before), text]
        done = before
    return [*order, *range(done, count)]


def refuse_known(registry: Registry, texts: Sequence[str]) -> None:
    """Refuse data in which canaries stand.

    A canary is known by its whole text, and where there are very many secrets of its kind by the secret alone.

    Raises:
      DataError: Some stand there.
    """
    everything = "\n".join(texts)
    for side, canaries in (("twins", registry.twins), ("planted canaries", registry.planted)):
        found = [
            canary
            for canary in canaries
            if canary.prefix + canary.secret in everything
            or (KINDS[canary.kind].space >= TELLING and canary.secret.strip() in everything)
        ]
        if found:
            raise DataError(
                f"{len(found)} {side} stand in the data already, of the kind {found[0].kind} the first: mix into data "
                "without canaries, or make others with another seed"
            )
