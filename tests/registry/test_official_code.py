"""Networks equal the authors' public code itself, where MICRONET_OFFICIAL names a folder with it.

Settings are read from its scripts, so nothing of this project's reading enters. Nothing of that code is kept here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from registry import official
from registry.ops.fused import use_backend

SCRIPTS = {"4M": "m0", "6M": "m1", "12M": "m2", "21M": "m3"}
#: Runs in a process of its own, in the code's folder: its modules have common names.
RUN = """
import sys, types, torch
sys.path.insert(0, sys.argv[1])
from backbone.micronet import MicroNet
group = types.SimpleNamespace
cfg = group(MODEL=group(MICRONETS=group(), ACTIVATION=group()))
for setting in sys.argv[4:]:
    key, value = setting.split("=")
    _, part, name = key.split(".")
    items = [x == "True" if x in ("True", "False") else int(x) if x.isdigit() else float(x) if x[0].isdigit() else x
             for x in value.split(",")]
    setattr(getattr(cfg.MODEL, part), name, items if "," in value else items[0])
torch.manual_seed(5)
net = MicroNet(cfg).double()
for name, value in net.state_dict().items():
    if value.is_floating_point():
        low = 0.5 if "running_var" in name or value.ndim == 1 and name.endswith("weight") else -0.4
        value.uniform_(low, 1.5 if low > 0 else 0.4)
before = {k: v.clone() for k, v in net.state_dict().items()}
images = torch.load(sys.argv[2], weights_only=True)
logits = net.eval()(images)
torch.manual_seed(0)
loss = torch.nn.functional.cross_entropy(net.train()(images), torch.arange(len(images)))
loss.backward()
grads = {k: p.grad for k, p in net.named_parameters()}
torch.save({"state": before, "logits": logits.detach(), "loss": loss.detach(), "grads": grads,
            "after": net.state_dict()}, sys.argv[3])
"""


@pytest.fixture(scope="module", params=SCRIPTS)
def run(request, tmp_path_factory):
    """Return a size and what the public code gives for random weights."""
    folder = os.environ.get("MICRONET_OFFICIAL")
    if not folder or not (Path(folder) / "backbone/micronet.py").is_file():
        pytest.skip("MICRONET_OFFICIAL names no folder with the public code (liyunsheng13/micronet)")
    text = (Path(folder) / f"scripts/eval_micronet_{SCRIPTS[request.param]}.sh").read_text()
    settings = ["=".join(found) for found in re.findall(r"(MODEL\.\w+\.\w+)\s+([\w.,]+)", text)]
    where = tmp_path_factory.mktemp("official")
    torch.save(torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(1)).double(), where / "images.pt")
    command = [sys.executable, "-c", RUN, folder, where / "images.pt", where / "out.pt", *settings]
    subprocess.run(command, check=True, capture_output=True, cwd=where)
    return request.param, torch.load(where / "images.pt"), torch.load(where / "out.pt", weights_only=True)


def test_public_code_and_ours_agree(run):
    size, images, theirs = run
    net = official.build(theirs["state"], size).double()
    net.load_state_dict(official.map_state_dict(theirs["state"], net))
    with use_backend("eager"):
        with torch.no_grad():
            torch.testing.assert_close(net(images), theirs["logits"], rtol=0, atol=1e-8)
        torch.manual_seed(0)
        loss = torch.nn.functional.cross_entropy(net.train()(images), torch.arange(len(images)))
        loss.backward()
    torch.testing.assert_close(loss, theirs["loss"], rtol=0, atol=1e-8)
    after = official.map_state_dict(theirs["after"], net)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, after[name], rtol=0, atol=1e-8, msg=name)
    grads = official.map_state_dict({**theirs["state"], **theirs["grads"]}, net)
    for name, parameter in net.named_parameters():
        limit = 1e-5 * max(float(grads[name].abs().max()), 1e-6)
        assert float((parameter.grad - grads[name]).abs().max()) <= limit, name
