"""`python -m pipelines export` writes a row's network and names what is wrong."""

from __future__ import annotations

import pytest
import torch

from pipelines.__main__ import main
from pipelines.common import PipelineError
from pipelines.deploy import export
from registry import export as forms


def test_a_rows_network_is_written_and_compared(tmp_path, capsys, monkeypatch):
    """Of random weights; the error is stated beside them."""
    seen = {}

    def write(net, images, form, path, calibration):
        seen.update(shape=tuple(net(images).shape), form=form, calibration=len(calibration))
        path.write_bytes(b"x" * 2_000_000)
        return 1.25e-7

    monkeypatch.setattr(export, "write", write)
    out = tmp_path / "net.onnx"
    assert main(["export", "--row", "t5_relu", "--to", "onnx", "--size", "64", "96", "--out", str(out)]) == 0
    assert seen == {"shape": (2, 1000), "form": "onnx", "calibration": 0}
    said = capsys.readouterr().out
    assert said.endswith(f"{out}: 2.0 MB, random weights; largest difference 1.2e-07 of the output\n")


@pytest.mark.slow
def test_an_exported_program_runs_elsewhere(tmp_path):
    path, error = export.export("t5_relu", "exported", None, tmp_path / "net.pt2", (64, 96), None, 8)
    assert error < 1e-5
    program = torch.export.load(path).module()
    with torch.no_grad():
        assert program(torch.randn(3, 3, 128, 64)).shape == (3, 1000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--row", "t2_none", "--to", "onnx"], "no network for row 't2_none'; rows that have one: t2_ghostnet_0_5"),
        (["--row", "t5_relu", "--to", "int8"], "name a folder with some: --calibration FOLDER"),
        (["--row", "t5_relu", "--to", "int8", "--calibration", "."], "no image"),
        (["--row", "t5_relu", "--to", "exported", "--weights", "none.pth"], "none.pth: no such file"),
    ],
)
def test_what_is_wrong_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", *words]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "work_dirs").exists()


def test_a_form_without_its_packages_says_which(monkeypatch):
    monkeypatch.setitem(forms.FORMS, "onnx", (".onnx", ("no_such_package",)))
    with pytest.raises(PipelineError, match="onnx needs no_such_package"):
        export.export("t5_relu", "onnx", None, None, (64, 96), None, 8)
