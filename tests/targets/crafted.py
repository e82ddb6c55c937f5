"""Take a ``.skops`` archive apart, change it, and write it back: for tests of hostile files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np


def nodes_of(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from nodes_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes_of(value)


def rewrite(path: Path, change: Callable[[Any, dict[str, bytes]], None]) -> Path:
    """Apply ``change(schema, files)`` to the archive."""
    with ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    change(schema, files)
    files["schema.json"] = json.dumps(schema).encode()
    with ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def array_named(schema: Any, key: str, loader: str = "NdArrayNode") -> dict[str, Any]:
    """The node of the first array that is stored under a name."""
    for node in nodes_of(schema):
        content = node.get("content")
        if isinstance(content, dict) and isinstance(content.get(key), dict) and content[key]["__loader__"] == loader:
            return content[key]
    raise AssertionError(f"nothing is stored under {key}")


def change_array(path: Path, key: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Path:
    """Change the first array that is stored under a name, in place or by what is returned."""

    def edit(schema: Any, files: dict[str, bytes]) -> None:
        name = array_named(schema, key)["file"]
        values = np.load(io.BytesIO(files[name]), allow_pickle=False).copy()
        result = change(values)
        buffer = io.BytesIO()
        np.save(buffer, values if result is None else result, allow_pickle=False)
        files[name] = buffer.getvalue()

    return rewrite(path, edit)


def change_number(path: Path, key: str, value: Any) -> Path:
    """Change the first number that is stored under a name in a tree."""

    def edit(schema: Any, files: dict[str, bytes]) -> None:
        tree = next(node for node in nodes_of(schema) if node["__loader__"] == "TreeNode")
        node = array_named(tree, key, "JsonNode")
        node["content"] = json.dumps(value)
        node.pop("__id__", None)

    return rewrite(path, edit)
