"""Load a ``.skops`` file: keepmum's own allow-list, and every tree checked before it is built.

skops makes sure that a file holds allowed types only; it does not look at what they hold. Trees are built by
compiled code from the file's arrays, so those arrays are checked in the archive, before anything is built.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from keepmum.errors import UnsafeFileError
from keepmum.targets._allowed import ALLOWED_LOADERS, ALLOWED_TYPES
from keepmum.targets._native import check_native
from keepmum.targets._trees import TREE, bad, check_nodes, check_trees

MAX_TOTAL = 8 << 30
"""Bytes that an archive may unpack to."""
MAX_SCHEMA = 512 << 20
MAX_RATIO = 200
"""Times that an archive may grow on unpacking, beyond a first megabyte; deflate itself ends near 1,000."""
MAX_FILES = 1_000_000

Node = dict[str, Any]


def check_archive(path: Path) -> None:
    """Check the archive's table of contents: sizes, ratio, names.

    Raises:
      UnsafeFileError: No archive, damaged, or one that grows beyond measure.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise UnsafeFileError(f"{path.name} is no whole zip archive ({err}): copy it again, or save it again") from err
    names = [entry.filename for entry in entries]
    total, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if "schema.json" not in names:
        raise UnsafeFileError(f"{path.name} holds no schema.json, so it is no skops file: save with skops.io.dump")
    if len(set(names)) != len(names) or len(names) > MAX_FILES:
        raise bad("an archive with repeated or too many entries")
    if total > MAX_TOTAL or total > (1 << 20) + MAX_RATIO * packed:
        raise UnsafeFileError(f"{path.name} would unpack from {packed:,} to {total:,} bytes: refused as a zip bomb")
    if next(entry.file_size for entry in entries if entry.filename == "schema.json") > MAX_SCHEMA:
        raise UnsafeFileError(f"{path.name} has a schema.json of over {MAX_SCHEMA:,} bytes: refused")


def type_names(schema: Node) -> set[str]:
    """Full names of all types in a schema."""
    return {f"{n['__module__']}.{n['__class__']}" for n in _nodes(schema) if n.get("__module__")}


def read_schema(path: Path) -> Node:
    """The description of the stored objects.

    Raises:
      UnsafeFileError: It is no such description.
    """
    check_archive(path)
    try:
        with ZipFile(path) as archive:
            schema = json.loads(archive.read("schema.json"))
    except (BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as err:
        raise UnsafeFileError(f"{path.name} has a damaged schema.json: copy it again, or save it again") from err
    if not isinstance(schema, dict):
        raise bad("a schema.json without a model")
    return schema


def load_skops(path: Path) -> Any:
    """The model in a ``.skops`` file.

    Raises:
      UnsafeFileError: A type that is not allowed, a part that is damaged or crafted.
    """
    from skops.io import get_untrusted_types, load
    from skops.io.exceptions import UntrustedTypesFoundException

    schema = read_schema(path)
    try:
        check_loaders(schema)
        with ZipFile(path) as archive:
            _check_stored_trees(schema, archive)
        unknown = [name for name in get_untrusted_types(file=path) if name not in ALLOWED_TYPES]
        if unknown:
            raise UnsafeFileError(refusal(path, unknown))
        model = load(path, trusted=sorted(ALLOWED_TYPES))
        check_trees(model)
        check_native(model)
    except UntrustedTypesFoundException as err:
        raise UnsafeFileError(refusal(path, [str(err).splitlines()[0]])) from err
    except (ImportError, AttributeError) as err:
        raise UnsafeFileError(
            f"{path.name} needs something that is not installed here ({err}): install the library and the version "
            "that the model was saved with"
        ) from err
    except (BadZipFile, OSError, ValueError, TypeError, KeyError, IndexError, EOFError, NotImplementedError) as err:
        raise bad(f"{type(err).__name__}: {_first_line(err)}") from err
    return model


def refusal(path: Path, unknown: list[str]) -> str:
    """What to say about types that are not allowed."""
    shown = ", ".join(unknown[:6]) + (f" and {len(unknown) - 6} more" if len(unknown) > 6 else "")
    return (
        f"{path.name} holds types that keepmum does not load: {shown}; export the model to ONNX, or audit recorded "
        "answers (--scores)"
    )


def check_loaders(schema: Node) -> None:
    """Building blocks are the known ones, trees are built as trees, and one id means one thing.

    Raises:
      UnsafeFileError: Something else is asked for.
    """
    sensitive: set[Any] = set()
    for node in _nodes(schema):
        if node["__loader__"] not in ALLOWED_LOADERS:
            name = node["__loader__"]
            raise UnsafeFileError(f"the model file asks for {name}, which keepmum does not build: export it to ONNX")
        is_tree = f"{node.get('__module__')}.{node.get('__class__')}" == TREE
        if is_tree != (node["__loader__"] == "TreeNode"):
            raise bad("a tree that is not built as one")
        if is_tree:
            sensitive |= {part.get("__id__") for part in _nodes([node["__reduce__"], node["content"]])}
    _check_ids(schema, sensitive)


def _check_ids(schema: Node, sensitive: set[Any]) -> None:
    """For one id skops builds one object, whichever part comes first: no part of a tree may stand for another."""
    first: dict[Any, Node] = {}
    for node in _nodes(schema):
        key = node.get("__id__")
        if key is not None and key in sensitive:
            known = first.setdefault(key, node)
            if known is not node and _without_ids(known) != _without_ids(node):
                raise bad("two parts with one id")


def _without_ids(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_ids(value) for key, value in node.items() if key != "__id__"}
    return [_without_ids(value) for value in node] if isinstance(node, list) else node


def _nodes(schema: Any) -> Iterator[Node]:
    waiting: list[Any] = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            if isinstance(item.get("__loader__"), str):
                yield item
            waiting.extend(item.values())


def _check_stored_trees(schema: Node, archive: ZipFile) -> None:
    """Check each tree's arguments and arrays as they lie in the archive."""
    for node in _nodes(schema):
        if node["__loader__"] == "TreeNode":
            args = [_value(item, archive) for item in node["__reduce__"]["args"]["content"]]
            content = {name: _value(item, archive) for name, item in node["content"]["content"].items()}
            if len(args) != 3 or not isinstance(args[0], int) or not isinstance(args[2], int):
                raise bad("a tree with wrong arguments")
            check_nodes(content, args[0], np.asarray(args[1]), args[2])


def _value(node: Node, archive: ZipFile) -> Any:
    """A number or an array of the archive."""
    if node["__loader__"] == "JsonNode":
        return json.loads(node["content"])
    if node["__loader__"] == "NdArrayNode" and node.get("type") == "numpy" and node["__class__"] == "ndarray":
        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
    raise bad(f"a tree that is described by {node['__loader__']}")


def _first_line(err: BaseException) -> str:
    return (str(err).strip().splitlines() or [""])[0][:200]
