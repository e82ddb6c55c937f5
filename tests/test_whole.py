"""A file is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepmum._whole import write_whole


@pytest.mark.parametrize("content", ["two\r\nlines\n", b"\x00\xff", memoryview(b"seen")])
def test_what_is_written_is_there_as_it_was(tmp_path: Path, content: str | bytes | memoryview) -> None:
    write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == (content.encode() if isinstance(content, str) else bytes(content))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failure_leaves_the_old_file_and_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [inside.name for inside in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        write_whole(tmp_path / "missing" / "file", "new")
