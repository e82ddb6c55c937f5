"""Torch modules from files: weights alone are loaded here, programs are asked in a worker, pickles are refused."""

from __future__ import annotations

import sys
import warnings
import zipfile

import numpy as np
import pytest

import keepmum
from keepmum.data import Records
from keepmum.errors import ConfigError, MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets import TorchTarget, as_target, inspect
from keepmum.targets._formats import Format, sniff
from keepmum.targets._weights import filled, read_weights

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
from torch import nn  # noqa: E402

D, K = 4, 3
RECORDS = Records(np.random.default_rng(0).normal(size=(7, D)), np.arange(7) % K, np.arange(7))
FACTORY = """
from torch import nn

def make():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))

def wide():
    return nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 3))

def deep():
    return nn.Sequential(*make(), nn.ReLU(), nn.Linear(3, 3))

def broken():
    raise ValueError("no such layer")

def nothing():
    return None

def needs(width):
    return make()

class holder:
    build = staticmethod(make)

number = 3
"""


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, K)).eval()


def expected():
    with torch.no_grad():
        return torch.softmax(build()(torch.tensor(RECORDS.X, dtype=torch.float32)), dim=1).numpy()


def script(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it; the files stay around
        torch.jit.script(module).save(str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One module, saved in every way."""
    place, module = tmp_path_factory.mktemp("modules"), build()
    safetensors.save_file(module.state_dict(), place / "w.safetensors")
    torch.save(module.state_dict(), place / "state.pt")
    torch.save(module, place / "whole.pt")
    torch.save({"model": module.state_dict(), "epoch": 3}, place / "checkpoint.pt")
    script(module, place / "script.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = torch.export.Dim("rows")
        program = torch.export.export(module, (torch.zeros(5, D),), dynamic_shapes=({0: rows},))
        torch.export.save(program, place / "program.pt2")
    return place


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A working folder with the user's own code in it."""
    (tmp_path / "ournet.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield folder
    sys.modules.pop("ournet", None)


def test_formats_are_told_by_content(folder, tmp_path):
    kinds = {
        "w.safetensors": Format.SAFETENSORS,
        "state.pt": Format.TORCH,
        "whole.pt": Format.TORCH,
        "script.pt": Format.TORCHSCRIPT,
        "program.pt2": Format.EXPORTED,
    }
    for name, kind in kinds.items():
        (tmp_path / "model.bin").write_bytes((folder / name).read_bytes())
        assert sniff(tmp_path / "model.bin") is kind, name
    (tmp_path / "model.pt2").write_bytes((folder / "state.pt").read_bytes())
    with pytest.raises(UnsafeFileError, match=r"no torch\.export file"):
        sniff(tmp_path / "model.pt2")


@pytest.mark.parametrize("length", [0x0280, 0x0480, 0x8B1F])
def test_a_header_whose_length_begins_like_a_pickle(tmp_path, length):
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert sniff(tmp_path / "w.safetensors") is Format.SAFETENSORS


@pytest.mark.parametrize(
    ("name", "factory"),
    [("w.safetensors", "ournet:make"), ("w.safetensors", "ournet:holder.build"), ("state.pt", build)],
)
def test_weights_answer_as_the_module_does(here, name, factory):
    target = keepmum.load(here / name, factory=factory, classes=range(K))
    assert isinstance(target, TorchTarget)
    np.testing.assert_allclose(target.predict_proba(RECORDS), expected(), rtol=1e-5)


def test_the_working_folder_is_on_the_path_only_meanwhile(here):
    before = list(sys.path)
    keepmum.load(here / "w.safetensors", factory="ournet:make", classes=range(K))
    assert sys.path == before


def test_classes_are_inferred_where_labels_are_at_hand(here):
    names = Records(RECORDS.X, np.array(["a", "b", "c"])[RECORDS.y])
    target = as_target(here / "w.safetensors", names.y, probe=names, factory="ournet:make")
    assert target.classes.tolist() == ["a", "b", "c"]
    with pytest.raises(TargetError, match="expected the classes of the module"):
        keepmum.load(here / "w.safetensors", factory="ournet:make")


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("ournet:wide", TargetError, r"expected 0\.weight of shape \(9, 4\), as the factory builds it, got \(8, 4\)"),
        ("ournet:deep", TargetError, r"lacks 5\.weight, 5\.bias: give the factory"),
        ("ournet:broken", TargetError, "raised ValueError: no such layer"),
        ("ournet:needs", TargetError, "called without arguments, it raised TypeError"),
        ("ournet:nothing", TargetError, r"expected it to return a torch\.nn\.Module, got NoneType"),
        ("ournet:number", ConfigError, "expected a function that builds the module, got int"),
        ("ournet:mak", ConfigError, "there is no mak in ournet"),
        ("othernet:make", ConfigError, "othernet cannot be imported"),
        ("ournet", ConfigError, r"expected package\.module:function, such as net:make, got 'ournet'"),
        ("ournet:", ConfigError, r"expected package\.module:function"),
        ("../net:make", ConfigError, r"expected package\.module:function"),
    ],
)
def test_factories_that_do_not_fit(here, factory, error, message):
    with pytest.raises(error, match=message) as caught:
        filled(here / "w.safetensors", Format.SAFETENSORS, factory)
    assert "\n" not in str(caught.value)


def test_weights_that_the_module_does_not_know(here, tmp_path):
    safetensors.save_file({**build().state_dict(), "head.weight": torch.zeros(2)}, tmp_path / "more.safetensors")
    with pytest.raises(TargetError, match=r"has head\.weight, which the module does not know"):
        filled(tmp_path / "more.safetensors", Format.SAFETENSORS, "ournet:make")


def test_weights_without_a_factory(folder):
    with pytest.raises(UnsafeFileError, match="--factory"):
        keepmum.load(folder / "w.safetensors")
    with pytest.raises(UnsafeFileError, match=r"s\.save_file\(torch\.load\('state\.pt'"):
        keepmum.load(folder / "state.pt")


@pytest.mark.parametrize(("name", "message"), [("whole.pt", "more than weights"), ("checkpoint.pt", "model, epoch")])
def test_more_than_weights_is_refused_with_the_line_that_converts_it(here, name, message):
    with pytest.raises(UnsafeFileError, match=message) as caught:
        filled(here / name, Format.TORCH, "ournet:make")
    assert "safetensors.torch" in str(caught.value)
    assert "\n" not in str(caught.value)


class Payload:
    """Would write a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_among_the_weights_is_not_run(here, tmp_path):
    torch.save({"0.weight": Payload(tmp_path / "written")}, tmp_path / "evil.pt")
    with pytest.raises(UnsafeFileError, match="more than weights"):
        keepmum.load(tmp_path / "evil.pt", factory="ournet:make", classes=range(K))
    assert not (tmp_path / "written").exists()


def test_damaged_weights(here, tmp_path):
    content = (here / "w.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-8])
    with pytest.raises(UnsafeFileError, match=r"cut\.safetensors is no whole safetensors file"):
        keepmum.load(tmp_path / "cut.safetensors", factory="ournet:make", classes=range(K))
    (tmp_path / "text.safetensors").write_bytes(b"just text, no weights at all")
    with pytest.raises(UnsafeFileError, match="no safetensors file"):
        keepmum.load(tmp_path / "text.safetensors", factory="ournet:make", classes=range(K))


@pytest.mark.parametrize("name", ["script.pt", "program.pt2"])
def test_programs_are_refused_and_asked_in_a_worker_alone(folder, name):
    with pytest.raises(UnsafeFileError, match=r"--factory pkg\.module:function, or export it to ONNX") as caught:
        keepmum.load(folder / name)
    assert "\n" not in str(caught.value)
    target = keepmum.load(folder / name, allow_pickle=True, classes=range(K))
    assert (target.access, target.internals) == ("scores", None)
    np.testing.assert_allclose(target.predict_proba(RECORDS), expected(), rtol=1e-5)
    assert "it is a program" in target.notes[0]
    assert "seen to give logits" in target.notes[1]
    target.predict_proba(RECORDS)
    assert len(target.notes) == 2


class Writer(nn.Module):
    """A TorchScript program that writes a file when it is asked."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place: str = place
        self.layer = nn.Linear(D, K)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(x, self.place)
        return self.layer(x)


def test_torchscript_can_write_files_and_the_worker_keeps_it_from_that(tmp_path):
    """Why it is refused: the first half shows that it would."""
    place = tmp_path / "written"
    try:
        script(Writer(str(place)), tmp_path / "writer.pt")
    except RuntimeError:
        pytest.skip("this torch has no operator that writes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(tmp_path / "writer.pt")(torch.zeros(1, D))
    assert place.stat().st_size > 0
    place.unlink()
    target = keepmum.load(tmp_path / "writer.pt", allow_pickle=True, classes=range(K))
    target.predict_proba(RECORDS)
    assert not place.exists() or place.stat().st_size == 0, "compiled code may open a file, but not write a byte"


def test_an_exported_archive_can_run_code_and_is_never_opened_here(folder, tmp_path, monkeypatch):
    with zipfile.ZipFile(folder / "program.pt2") as source:
        assert any(name.endswith("sample_inputs/model.pt") for name in source.namelist()), "a pickle is inside"
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("opened in this process"))
    with pytest.raises(UnsafeFileError, match="may unpickle"):
        keepmum.load(folder / "program.pt2")
    keepmum.load(folder / "program.pt2", allow_pickle=True, classes=range(K))


@pytest.mark.parametrize("name", ["script.pt", "program.pt2"])
def test_a_factory_is_for_weights_alone(folder, name):
    with pytest.raises(ConfigError, match="leave factory out"):
        keepmum.load(folder / name, factory="ournet:make", allow_pickle=True)


def test_only_torch_modules_give_logits(tmp_path):
    (tmp_path / "model.txt").write_text("tree\nversion=v4\n")
    with pytest.raises(ConfigError, match="is no torch module"):
        keepmum.load(tmp_path / "model.txt", gives="probabilities")
    with pytest.raises(ConfigError, match="expected a module that gives logits or probabilities"):
        keepmum.load(tmp_path / "model.txt", gives="scores")


def test_what_check_says(folder):
    assert [finding.code for finding in inspect(folder / "script.pt")] == ["file/code"]
    assert {finding.code for finding in inspect(folder / "w.safetensors")} == {"file/format", "file/weights"}
    assert "67 numbers" in next(f.text for f in inspect(folder / "state.pt") if f.code == "file/weights")


def test_without_the_package_the_line_to_install_it(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match=r"keepmum\[torch\]"):
        read_weights(here / "w.safetensors", Format.SAFETENSORS)
