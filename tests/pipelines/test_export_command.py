"""`python -m pipelines export` writes a row's network and names what is wrong."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import ROOT

from papertally.evidence.exports import Exports
from pipelines.__main__ import main
from pipelines.common import PipelineError, configured_rows
from pipelines.deploy import checks, export
from pipelines.deploy.network import row_network
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
@pytest.mark.long
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
        (["--row", "t2_none", "--check"], "no network for row 't2_none'"),
        (["--all"], "name a row and a form"),
        (["--check"], "--check takes --all or --row ROW"),
        (["--row", "t5_relu", "--check", "--to", "onnx"], "neither --to nor --weights"),
        (["--row", "t5_relu", "--to", "onnx", "--batch", "2"], "--batch is a number from 1 up and goes with --static"),
        (["--row", "t5_relu", "--to", "exported", "--static"], "exported has none"),
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


def test_a_form_is_off_where_it_is_farther_from_double_precision_than_rounding_takes_it():
    def filed(error, rounding, own):
        form = {"error": error, "rounding": rounding, "fault": "" if error is not None else "no such operator"}
        return {"exported": form, **({} if own is None else {"float32": {"error": own, "rounding": own, "fault": ""}})}

    cases = {"within": (9e-6, 9e-6, 1e-7), "off": (2e-5, 2e-5, 1e-7), "rounded": (7e-5, 5.9e-5, 3e-5),
             "unknown": (2e-5, 2e-5, None), "unmeasured": (2e-5, None, 3e-5), "failed": (None, None, 3e-5),
             "beyond": (6.1e-5, 6.1e-5, 3e-5)}  # fmt: skip
    rows = {name: filed(*case) for name, case in cases.items()}
    found = Exports.model_validate({
        "schema": 1, "kind": "exports", "limit": 1e-5, "sizes": [], "rows": rows, "same_as": {}, "code_revision": "",
        "environment": {},
    })  # fmt: skip
    assert {row for row, _ in found.off()} == {"off", "unknown", "unmeasured", "failed", "beyond"}


@pytest.mark.slow
def test_random_networks_see_their_images():
    """By fresh statistics the heatmaps of Table 8's MicroNets were their last biases, whatever the image."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        one, other = row_network("t8_micronet_m0")(forms.varied(2, 64, 96, generator))
    assert float((one - other).abs().max()) > 0.1 * float(one.abs().max())


def test_rows_of_one_network_are_tried_once(monkeypatch, tmp_path, capsys):
    tried = []

    def differences(net, shapes, folder):
        tried.append(net)
        onnx = "Unsupported: no such operator" if len(tried) > 1 else forms.Difference(2e-5, 3e-5)
        return {"exported": forms.Difference(1.234e-7, 2e-7), "onnx": onnx}

    monkeypatch.setattr(checks, "differences", differences)
    out = tmp_path / "export.json"
    assert checks.run(["t2_micronet_m0", "t2_micronet_m0_ml", "t5_relu"], out) == 1
    assert len(tried) == 2  # mutual learning trains the same network
    found = Exports.model_validate(json.loads(out.read_text()))
    assert found.same_as == {"t2_micronet_m0_ml": "t2_micronet_m0"}
    assert found.rows["t2_micronet_m0"]["exported"].error == 1.2e-7
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "t2_micronet_m0 as onnx: off by 2.0e-05 of the output", "t5_relu as onnx: Unsupported: no such operator",
    ]  # fmt: skip


def test_a_stopped_check_goes_on_under_the_same_revision_alone(monkeypatch, tmp_path):
    tried, revision, out = [], ["a" * 40], tmp_path / "export.json"
    monkeypatch.setattr(checks, "code_revision", lambda root: revision[0])
    monkeypatch.setattr(checks, "row_network", lambda row: tried.append(row))
    monkeypatch.setattr(
        checks, "differences", lambda *a: dict.fromkeys(("exported", "onnx"), forms.Difference(1e-7, 1e-7))
    )
    rows = ["t2_micronet_m0", "t5_relu"]
    for known, expected in ((rows[:1], rows[:1]), (rows, rows[1:]), (rows, [])):
        tried.clear()
        assert checks.run(known, out) == 0
        assert tried == expected
    for other in ("b" * 40, "a" * 40 + "-dirty", "a" * 40 + "-dirty"):  # whose changes nobody knows
        revision[0] = other
        tried.clear()
        assert checks.run(rows, out) == 0
        assert tried == rows
    out.write_text("{", "utf-8")
    assert checks.run(rows, out) == 0


def test_every_rows_network_was_tried_and_agrees():
    """What `export --all --check` filed: no row is missing, none is off."""
    path = ROOT / "results/export.json"
    if not path.is_file():
        pytest.skip("results/export.json is not filed: python -m pipelines export --all --check takes half an hour")
    found = Exports.model_validate(json.loads(path.read_text("utf-8")))
    wanted = {*configured_rows(), *configured_rows(ledger="micronet_iccv2021")}
    assert {*found.rows, *found.same_as} == wanted
    assert set(found.same_as.values()) <= set(found.rows)
    assert found.limit == 1e-5
    assert found.off() == {}
    assert all(set(forms) == {"exported", "onnx", "float32"} for forms in found.rows.values())
    assert max(forms["float32"].error for forms in found.rows.values()) < 1e-4


@pytest.mark.long
def test_int8_states_size_time_and_classes_against_float(tmp_path, capsys):
    if lacking := forms.missing_packages("int8"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    image = pytest.importorskip("PIL.Image")
    generator = torch.Generator().manual_seed(0)
    (tmp_path / "images").mkdir()
    for i in range(12):
        pixels = torch.randint(0, 256, (5, 6, 3), generator=generator, dtype=torch.uint8)
        image.fromarray(pixels.numpy()).resize((64, 64)).save(tmp_path / f"images/{i}.png")
    out = tmp_path / "net.int8.onnx"
    export.export("t5_relu", "int8", None, out, (64, 96), tmp_path / "images", 4)
    found = json.loads((tmp_path / "net.int8.onnx.json").read_text("utf-8"))
    assert found["held_out_images"] == 4
    assert 0 <= found["same_top1"] <= 1
    assert found["bytes"]["int8"] == out.stat().st_size < found["bytes"]["float"]
    assert found["low"] <= found["time_ratio"] <= found["high"]
    said = capsys.readouterr().out
    assert "of 4 held-out images" in said
    assert ("no faster than float" in said) == (found["high"] >= 1)


@pytest.mark.long
def test_a_fixed_file_has_the_batch_and_size_asked_for(tmp_path):
    if lacking := forms.missing_packages("onnx"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    import onnx

    out = tmp_path / "net.onnx"
    words = ["--row", "t2_micronet_m0", "--to", "onnx", "--static", "--batch", "3", "--size", "64", "96", "--no-gather"]
    assert main(["export", *words, "--out", str(out)]) == 0
    graph = onnx.load(out).graph
    assert [size.dim_value for size in graph.input[0].type.tensor_type.shape.dim] == [3, 3, 64, 96]
    assert not any(node.op_type == "Gather" for node in graph.node)
