"""Any wrapper's weights are found, nothing unsound is loaded, and each fault is one line that names its key."""

from __future__ import annotations

import copy
import io
import pickle
import tarfile
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from released_nets import Released
from torch import nn

from registry import official
from registry.checkpoints import (
    FIRST,
    CheckpointError,
    fill_model,
    load_pretrained,
    read_file,
    sound_tensors,
    strip_prefixes,
    unwrap,
)
from registry.inputs.errors import DataError
from registry.micronet import MicroNet

WEIGHTS = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2), "n.running_var": torch.ones(2)}
OTHERS = {"epoch": 3, "best": 0.5, "arch": "m0", "args": {"lr": 0.1}, "optimizer": {"state": {0: torch.ones(2)}}}


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    net = Released("6M")
    with torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    return net.state


def same(found, wanted=WEIGHTS):
    return found.keys() == wanted.keys() and all(torch.equal(found[k], v) for k, v in wanted.items())


@given(
    wrappers=st.lists(st.sampled_from((*FIRST, "my_network", "generator", "student")), max_size=3),
    prefixes=st.lists(st.sampled_from(("module.", "_orig_mod.", "model.", "backbone.", "net.")), max_size=3),
    profiled=st.booleans(), counted=st.booleans(), as_bytes=st.booleans(), with_others=st.booleans(),
)  # fmt: skip
def test_weights_are_found_under_any_wrapper_and_prefix(wrappers, prefixes, profiled, counted, as_bytes, with_others):
    state = {"".join(prefixes) + key: value for key, value in WEIGHTS.items()}
    if profiled:
        state |= {k: torch.tensor([7.0], dtype=torch.float64) for k in ("total_ops", "a.total_ops", "a.total_params")}
    if counted:
        state["n.num_batches_tracked"] = torch.tensor(4)
    if as_bytes:
        state = {key.encode(): value for key, value in state.items()}
    found = state
    for name in reversed(wrappers):
        found = {**(OTHERS if with_others else {}), name: found}
    read = sound_tensors(unwrap(found)[0])
    assert same({k: v for k, v in read.items() if k != "n.num_batches_tracked"})
    assert ("n.num_batches_tracked" in read) == counted


@pytest.mark.parametrize("average", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "swa", "modelEMA"])
@pytest.mark.parametrize("plain", ["state_dict", "model", "net"])
def test_plain_weights_come_before_their_average_which_can_be_named(average, plain):
    averaged = {key: value + 1 for key, value in WEIGHTS.items()}
    found = {average: averaged, plain: WEIGHTS}
    state, entry = unwrap(found)
    assert entry == plain
    assert same(state)
    assert same(unwrap(found, average)[0], averaged)
    alone, entry = unwrap({average: averaged, "epoch": 1})
    assert entry == average
    assert same(alone, averaged)
    with pytest.raises(CheckpointError, match="no weights under 'other'; it has "):
        unwrap(found, "other")


def test_an_average_within_the_same_state_dict_is_passed_over():
    state = {f"model.{k}": v for k, v in WEIGHTS.items()} | {f"ema_model.{k}": v + 1 for k, v in WEIGHTS.items()}
    assert same(sound_tensors(state))
    assert same(sound_tensors(dict(reversed(state.items()))))
    with pytest.raises(CheckpointError, match="are both a.weight"):
        sound_tensors({f"{p}.{k}": v for p in ("model", "net") for k, v in WEIGHTS.items()})


def test_two_networks_of_equal_rank_are_not_guessed():
    with pytest.raises(CheckpointError, match="'generator' and 'critic'; name the entry"):
        unwrap({"generator": WEIGHTS, "critic": WEIGHTS})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "it is empty"), ([1, 2], "it is a list"), (3, "it is a int"), (None, "it is a NoneType"),
        ({"epoch": 3, "lr": 0.1}, "it holds 'epoch', 'lr'"), ({"state_dict": {}}, "it holds 'state_dict'"),
        ({"state_dict": [torch.ones(1)]}, "it holds 'state_dict'"), (torch.ones(3), "it is a Tensor"),
        ({"optimizer": {"state": torch.ones(3)}}, "it holds 'optimizer'"), ({"total_ops": torch.ones(1)}, "total_ops"),
        ({1: torch.ones(2)}, "not a state dict"),
        ({"a": torch.ones(2), b"a": torch.ones(2)}, "a stands twice"),
        ({"a.b": [1.0], "c.d": []}, r"'c.d' \(list each\)"),
        ({"a.weight": "x", "b.weight": "y"}, r"\(str each\)"),
        ({"a": torch.ones(2), 5: torch.ones(2)}, "its key 5 is no name"),
    ],
)  # fmt: skip
def test_what_holds_no_weights_says_what_it_holds(found, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        sound_tensors(unwrap(found)[0])
    assert "size" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("a.weight", torch.tensor([[float("nan")]]), "a.weight has 1 of 1 values that are not finite"),
        ("a.bias", torch.tensor([1.0, float("inf")]), "a.bias has 1 of 2 values"),
        ("a.bias", torch.tensor([1.0, float("-inf")], dtype=torch.bfloat16), "a.bias has 1 of 2 values"),
        ("a.bias", torch.tensor([float("nan")], dtype=torch.half), "a.bias has 1 of 1 values"),
        ("n.running_var", torch.tensor([0.1, -1e-3]), "n.running_var has a variance below 0"),
        ("n.running_var", torch.tensor([-1.0], dtype=torch.float64), "variance below 0"),
        ("a.weight", torch.ones(2, dtype=torch.int8), "a.weight holds int8"),
        ("a.weight", torch.ones(2, dtype=torch.bool), "a.weight holds bool"),
        ("a.weight", torch.ones(2, dtype=torch.complex64), "a.weight holds complex64"),
        ("a.weight", torch.ones(2, device="meta"), "a.weight has no data"),
        ("a.weight", "quantized", "a.weight is quantized"),
        ("a.weight", None, "a.weight is a NoneType, not a tensor"),
        ("a.bias", [0.0, 0.0], "a.bias is a list, not a tensor"),
        ("n.running_mean", 0.5, "n.running_mean is a float, not a tensor"),
        ("n.num_batches_tracked", torch.tensor(float("nan")), "n.num_batches_tracked is not finite"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_unsound_weights_are_refused_by_name(key, value, message):
    if isinstance(value, str):
        value = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)  # warns, so not while tests are collected
    with pytest.raises(CheckpointError, match=message):
        sound_tensors({**WEIGHTS, key: value})


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.float64, torch.float32])
def test_other_precisions_parameters_and_sparse_tensors_load_as_the_models(dtype):
    model = nn.Linear(3, 2)
    state = {"weight": nn.Parameter(torch.eye(2, 3, dtype=dtype)), "bias": torch.ones(2, dtype=dtype).to_sparse()}
    fill_model(model, sound_tensors(state))
    assert model.weight.dtype == torch.float32
    assert torch.equal(model.weight.detach(), torch.eye(2, 3))
    assert torch.equal(model.bias.detach(), torch.ones(2))
    with pytest.raises(CheckpointError, match="weight has values beyond float32"):
        fill_model(model, sound_tensors({**state, "weight": torch.full((2, 3), 1e300, dtype=torch.float64)}))


def test_what_does_not_fit_a_model_is_named():
    model = nn.Linear(3, 2)
    for state, message in (
        ({"weight": torch.ones(2, 3)}, "lacks bias; its keys are weight"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2), "x": torch.ones(1)}, "alone has x"),
        ({"weight": torch.ones(2, 4), "bias": torch.ones(2)}, r"weight has shape \(2, 4\), the model's \(2, 3\)"),
    ):
        with pytest.raises(CheckpointError, match=message):
            fill_model(model, state)


# files


def archive(path, kind):
    content = io.BytesIO()
    torch.save(WEIGHTS, content)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("weights.pth", content.getvalue())
    else:
        with tarfile.open(path, f"w:{kind}") as file:
            entry = tarfile.TarInfo("weights.pth")
            entry.size = len(content.getvalue())
            file.addfile(entry, io.BytesIO(content.getvalue()))


BROKEN = {
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "text": (lambda p: p.write_text("hello\nworld"), "fetch it again"),
    "page": (lambda p: p.write_text("\n<!DOCTYPE html><html>"), "a web page"),
    "lfs": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "git lfs pull"),
    "zip": (lambda p: archive(p, "zip"), "zip archive that torch did not write"),
    "tar": (lambda p: archive(p, ""), "tar archive"),
    "tar.gz": (lambda p: archive(p, "gz"), "gzip; unpack it"),
    "module": (lambda p: torch.save(nn.Linear(1, 1), p), r"holds code \(.*Linear\)"),
    "code beside": (lambda p: torch.save({"state_dict": WEIGHTS, "code": Released}, p), r"holds code \(.*Released\)"),
    "pickle": (lambda p: p.write_bytes(pickle.dumps(Released)), "not a readable checkpoint"),
    "os.system": (lambda p: p.write_bytes(b"cos\nsystem\n(S'true'\ntR."), "not a readable checkpoint"),
    "script": (lambda p: torch.jit.save(torch.jit.script(nn.ReLU()), str(p)), "TorchScript"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_is_no_checkpoint_says_what_it_is(tmp_path, name):
    write, message = BROKEN[name]
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        official.load(path)
    assert "weights.pth: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # no advice to load it unsafely


@pytest.mark.parametrize("legacy", [False, True])
def test_a_truncated_file_is_one_line_wherever_it_ends(tmp_path, legacy):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": WEIGHTS}, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    assert same(unwrap(read_file(path))[0])
    for end in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:end])
        try:
            found = unwrap(read_file(path))[0]
        except CheckpointError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:  # only what torch reads past its last tensor may be missing
            assert same(found)


def test_safetensors_are_read(tmp_path):
    save = pytest.importorskip("safetensors.torch").save_file
    save(WEIGHTS, tmp_path / "weights.safetensors")
    assert same(unwrap(read_file(tmp_path / "weights.safetensors"))[0])
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[:-4])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_file(tmp_path / "weights.safetensors")


# released checkpoints


@pytest.mark.slow
def test_released_weights_load_from_every_form(tmp_path, released):
    wanted = official.build(released).state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in released.items()}
    forms = {
        "ema": {"state_dict_ema": {f"module.{k}": v for k, v in released.items()}, "epoch": 1},
        "nested": {"checkpoint": {"model": {f"_orig_mod.module.{k}": v for k, v in released.items()}}},
        "profiled": released | {"total_ops": torch.ones(1), "features.0.total_params": torch.ones(1)},
        "uncounted": {k: v for k, v in released.items() if not k.endswith("num_batches_tracked")},
        "parameters": OrderedDict((k, nn.Parameter(v)) for k, v in released.items() if v.is_floating_point()),
        "half": {"net": half},
    }  # fmt: skip
    for name, form in forms.items():
        torch.save(form, tmp_path / "weights.pth")
        net = official.load(tmp_path / "weights.pth")
        for key, value in net.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                tolerance = {"rtol": 1e-3, "atol": 1e-3} if name == "half" else {"rtol": 0, "atol": 0}
                torch.testing.assert_close(value, wanted[key], **tolerance)
    assert net.entry == "net"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {f"layers.{k}": v for k, v in s.items()}, "keys without counterpart.*layers.features"),
        (lambda s: {"conv1.weight": torch.ones(3), "fc.bias": torch.ones(3)}, "conv1.weight, fc.bias; expected"),
        (lambda s: {k: v for k, v in s.items() if not k.startswith("classifier")}, "the model alone has"),
        (lambda s: {k: v for k, v in s.items() if not k.startswith("features.3.layers.0.")}, "operators"),
        (lambda s: s | {"classifier.4.linear.0.weight": torch.ones(10, 10)}, "operators|shape"),
        (lambda s: s | {"features.1.layers.0.conv.0.weight": torch.ones(3, 3)}, r"shape \(3, 3\)"),
        (lambda s: s | {"features.2.layers.0.conv.1.running_var": -torch.ones(16)}, "variance below 0|shape"),
    ],
)  # fmt: skip
def test_other_faults_are_no_question_of_size(released, change, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        official.build(change(released))
    assert "another size" not in str(caught.value)


def test_another_size_is_named(released):
    with pytest.raises(CheckpointError, match="is of another size: its keys and shapes are 6M's, not 12M's"):
        official.build(released, "12M")


# Pretrained


@pytest.mark.slow
def test_a_backbone_takes_all_its_pretrained_weights_or_says_which_lack(tmp_path):
    torch.manual_seed(0)
    donor = MicroNet("m0")
    donor.init_weights()
    path = tmp_path / "donor.pth"
    state = {f"backbone.{key}": value for key, value in donor.state_dict().items()}
    torch.save({"state_dict": state | {"head.x": torch.ones(1)}}, path)
    for prefix in (None, "backbone", "backbone."):
        net = MicroNet("m0", init_cfg={"type": "Pretrained", "checkpoint": str(path), "prefix": prefix})
        net.init_weights()
        assert all(torch.equal(v, net.state_dict()[k]) for k, v in donor.state_dict().items())
    with pytest.raises(DataError, match="donor.pth: does not fit the model"):
        MicroNet("m1", init_cfg={"type": "Pretrained", "checkpoint": str(path)}).init_weights()
    with pytest.raises(DataError, match="no key begins with 'neck.'"):
        MicroNet("m0", init_cfg={"type": "Pretrained", "checkpoint": str(path), "prefix": "neck"}).init_weights()
    broken = copy.deepcopy(donor.state_dict())
    next(iter(broken.values())).fill_(float("nan"))
    torch.save(broken, path)
    with pytest.raises(CheckpointError, match="not finite"):
        load_pretrained(donor, str(path))


def test_prefixes_go_but_a_lone_name_stays():
    assert strip_prefixes("module.model.features.0.weight") == "features.0.weight"
    assert strip_prefixes("model") == "model"
