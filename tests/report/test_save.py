import os
from pathlib import Path

import pytest

from keepmum.errors import ConfigError
from keepmum.report import Report
from keepmum.report._json import loads
from keepmum.report._save import FORMATS, save, write

STARTS = {
    ".html": "<!doctype html>",
    ".json": '{"schema_version":1,',
    ".md": "## keepmum: leak",
    ".sarif": "{",
    ".junit.xml": "<?xml",
    ".xml": "<?xml",
    ".csv": "id,family,outcome",
}


def test_a_folder_gets_the_page_and_the_data(leaky, tmp_path):
    page = save(leaky, tmp_path / "new" / "run")
    assert page == tmp_path / "new" / "run" / "report.html"
    assert page.read_text(encoding="utf-8") == leaky.to_html()
    assert loads((page.parent / "report.json").read_bytes()) == leaky
    assert sorted(p.name for p in page.parent.iterdir()) == ["report.html", "report.json"]


def test_saving_again_replaces(leaky, tight, tmp_path):
    leaky.save(tmp_path)
    tight.save(str(tmp_path))
    assert loads((tmp_path / "report.json").read_text(encoding="utf-8")) == tight


@pytest.mark.parametrize("ending", list(FORMATS))
def test_the_ending_names_the_format(leaky, tmp_path, ending):
    path = write(leaky, tmp_path / "sub" / f"Report{ending.upper()}")
    assert path.read_text(encoding="utf-8").startswith(STARTS[ending])
    assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize("name", ["report.pdf", "report", "html", ""])
def test_an_unknown_ending_names_the_known_ones(leaky, tmp_path, name):
    with pytest.raises(ConfigError, match=r"\.html, \.json, \.md, \.sarif, \.junit\.xml, \.xml, \.csv") as caught:
        write(leaky, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_one_clear_line(leaky, tmp_path):
    place = tmp_path / "file"
    place.write_text("mine")
    for attempt in (
        lambda: save(leaky, place),
        lambda: save(leaky, place / "run"),
        lambda: write(leaky, place / "x.md"),
    ):
        with pytest.raises(ConfigError, match="choose another"):
            attempt()
    assert place.read_text() == "mine"


def test_a_folder_in_the_place_of_the_file_leaves_nothing_half_written(leaky, tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ConfigError, match=r"report\.json"):
        save(leaky, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_one_clear_line(leaky, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="choose another"):
        save(leaky, tmp_path)


def test_a_write_that_fails_keeps_the_old_file(leaky, tmp_path, monkeypatch):
    path = write(leaky, tmp_path / "report.md")
    before = path.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write(leaky, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_if_the_page_cannot_be_made(leaky, tmp_path, monkeypatch):
    def broken(self: Report) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(Report, "to_html", broken)
    with pytest.raises(RuntimeError, match="broken"):
        save(leaky, tmp_path / "run")
    assert not list(tmp_path.iterdir())
