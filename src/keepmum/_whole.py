"""Files that are whole or not there, whatever ends the process."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: str | bytes | memoryview, mode: int | None = None) -> None:
    """Write beside the file, down to the disk, and rename: a reader sees the old file or the new one.

    Args:
      path: What is to be written, in a folder that exists.
      content: Texts are written as UTF-8, with the line ends that they have.
      mode: Permissions, in force before anything is written; those of any new file if None.

    Raises:
      OSError: It cannot be written; nothing is left beside it.
    """
    beside = path.with_name(f"{path.name}-{secrets.token_hex(4)}.partial")
    try:
        with beside.open("wb") as file:
            if mode is not None:
                beside.chmod(mode)
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):  # the folder is unwritable or no folder, which the error in hand tells
            beside.unlink(missing_ok=True)
