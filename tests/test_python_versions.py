"""The two wheels, built, installed into empty environments and used; the plugin on other Pythons and torches."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

#: Python, and what stands beside the plugin: the oldest that OpenMMLab's users have, and the newest.
MATRIX = {
    "python3.9-torch2.0": ("3.9", "torch==2.0.1", "torchvision==0.15.2", "numpy==1.26.4", "mmcv-lite==2.1.0"),
    "python3.9-torch2.1": ("3.9", "torch==2.1.2", "torchvision==0.16.2", "numpy==1.26.4", "mmcv-lite==2.1.0"),
    "python3.10-torch2.1": ("3.10", "torch==2.1.2", "torchvision==0.16.2", "numpy==1.26.4", "mmcv-lite==2.1.0"),
    "python3.13-newest": ("3.13", "torch", "torchvision", "numpy", "mmcv-lite==2.1.0"),
}
#: By the wheel's own name, in a folder that has no checkout.
USE = """
import importlib.util, sys, torch
from mmengine.config import Config
config = Config.fromfile(sys.argv[1])
from mmengine.registry import MODELS
net = MODELS.build(config.model)
net.init_weights()
net.train()(torch.randn(2, 3, 64, 64))[0].sum().backward()
import micronet_repro
assert type(net) is micronet_repro.MicroNet
print(micronet_repro.__file__, importlib.util.find_spec("registry") is None)
"""
NAMES = {"micronet_repro", "micronet_command.py", "micronet_plugin.py"}


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | environment
    return subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, env=env, timeout=1800)


def built(folder: Path) -> Path:
    """Return a wheel built from a project's folder by this environment's setuptools: nothing is fetched."""
    command = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    done = run(sys.executable, "-c", command, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "dist" / done.stdout.splitlines()[-1]


def contents(wheel: Path) -> tuple[list[str], str]:
    """Return the names in a wheel and its metadata."""
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        return names, file.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Return the plugin's wheel, built of a copy of what is packaged."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "micronet_command.py", "micronet_plugin.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "registry", folder / "registry", ignore=shutil.ignore_patterns("__pycache__"))
    return built(folder)


@pytest.fixture(scope="module")
def checker(tmp_path_factory) -> Path:
    """Return the checker's wheel, built of its own folder alone."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("checker") / "papertally"
    shutil.copytree(ROOT / "papertally", folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    return built(folder)


@pytest.mark.slow
def test_the_plugins_wheel_takes_no_common_names(wheel):
    names, metadata = contents(wheel)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == NAMES
    inside = {n.partition("/")[2] for n in names if n.startswith("micronet_repro/")}
    assert inside == {str(p.relative_to(ROOT / "registry")) for p in (ROOT / "registry").rglob("*.py")}
    needs = re.findall(r"(?m)^Requires-Dist: ([\w.-]+)(?!.*extra ==).*$", metadata)
    assert sorted(needs) == ["mmengine", "numpy", "pillow", "torch", "torchvision"]  # no DVC
    assert "Requires-Python: >=3.9" in metadata
    assert metadata.count("Classifier: Programming Language :: Python :: 3.") == 5


@pytest.mark.slow
def test_the_checkers_wheel_holds_the_checker_and_no_framework(checker):
    names, metadata = contents(checker)
    assert {n.partition("/")[0] for n in names if ".dist-info/" not in n} == {"papertally"}
    inside = {n.partition("/")[2] for n in names if n.startswith("papertally/")}
    there = {p.relative_to(ROOT / "papertally").as_posix() for p in (ROOT / "papertally").rglob("*") if p.is_file()}
    kinds = (".py", ".yaml", ".json", ".j2", ".css", ".js")
    assert inside == {name for name in there if name.endswith(kinds) and "__pycache__" not in name}
    needs = set(re.findall(r"(?m)^Requires-Dist: ([\w.-]+)(?!.*extra ==).*$", metadata))
    assert not needs & {"torch", "torchvision", "mmengine", "dvc", "pandas", "timm", "onnx"}
    assert "Requires-Python: >=3.11" in metadata


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", ["micronet_repro", "micronet_plugin"])
def test_the_wheel_is_used_from_another_folder(wheel, tmp_path, name):
    """Its environment has the dependencies of this one, but no checkout."""
    made = run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = tmp_path / "env/bin/python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).stdout.strip()
    )
    with zipfile.ZipFile(wheel) as file:  # a pure wheel is installed by unpacking it
        file.extractall(site)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")  # a path alone: no editable checkout
    (tmp_path / "registry.py").write_text("raise RuntimeError('a module of the same name')\n")
    (tmp_path / "config.py").write_text(
        f"custom_imports = dict(imports=[{name!r}])\nmodel = dict(type='MicroNet', arch='pose_m0')\n"
    )
    done = run(python, "-W", "ignore", "-c", USE, "config.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-2] == str(site / "micronet_repro/__init__.py")
    command = "import sys, micronet_command; sys.argv[1:] = ['cost']; raise SystemExit(micronet_command.main())"
    tool = run(python, "-c", command, cwd=tmp_path)
    assert (tool.returncode, tool.stderr.count("\n")) == (2, 1)
    assert "`papertally count`" in tool.stderr


#: The command `papertally`, as an installed script runs it.
PAPERTALLY = "import sys; from papertally.cli import main; sys.argv[0] = 'papertally'; raise SystemExit(main())"
TABLE = """# A README

| Model | MACs (M) | Top-1 err. (%) | Latency (ms, Pixel 1) |
|---|---|---|
| A 0.5x | 41 | 39.7 ± 0.2 | 12.5 ms |
| A 1.0x | 1,138 | **30.9** | - |
"""


def blocked(*lacking: str) -> str:
    """Return code that lets some packages be missing."""
    return (
        "import sys\nclass Lacking:\n    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {lacking!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Lacking())\n"
    )


@pytest.mark.slow
@pytest.mark.long
def test_the_checker_checks_a_table_of_a_readme_without_torch(checker, tmp_path):
    """In an environment of the checker alone: from a README's table to a report, three commands."""
    site = tmp_path / "site"
    with zipfile.ZipFile(checker) as file:
        file.extractall(site)
    (tmp_path / "README.md").write_text(TABLE)
    lacking = ("torch", "torchvision", "yaml", "mmengine", "PIL", "pandas", "psutil", "sklearn", "timm")

    def papertally(*words: str) -> subprocess.CompletedProcess[str]:
        env = {"PYTHONPATH": os.pathsep.join([str(site), sysconfig.get_path("purelib")])}
        return run(sys.executable, "-S", "-c", blocked(*lacking) + PAPERTALLY, *words, cwd=tmp_path, **env)

    done = papertally("new", "readme", "--from", "README.md", "--path", "ledger")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 tables, 5 printed numbers" in done.stdout
    assert "0 impossible" in papertally("check", "--path", "ledger").stdout
    done = papertally("report", "--path", "ledger")
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "ledger/report/index.html").read_text("utf-8")
    assert "1,138" in page
    assert "MicroNet" not in page
    assert papertally("train").returncode == 2
    assert "check" in papertally("--help").stdout
    done = papertally("report")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "papertally report FOLDER" in done.stderr
    needs = papertally("count", "ledger")
    assert (needs.returncode, needs.stderr) == (2, "error: needs torch; pip install 'papertally[count]'\n")
    assert "open: 2 trained numbers of 2 rows" in papertally("plan", "--path", "ledger").stdout


NETS = """from torch import nn

def net(width):
    return nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.ReLU())
"""


@pytest.mark.slow
@pytest.mark.long
def test_the_checker_counts_the_networks_of_a_ledger(checker, tmp_path):
    """With the `count` extra: costs of named networks, how their columns were counted, statements, verdicts."""
    site = tmp_path / "site"
    with zipfile.ZipFile(checker) as file:
        file.extractall(site)
    (tmp_path / "report.py").write_text("raise RuntimeError('a module of the same name')\n")
    (tmp_path / "table.csv").write_text(
        "Model,Params (K),MACs (M)\nA,0.43,0.11\nB,0.86,0.22\nC,1.73,0.44\nD,3.46,0.88\n"
    )

    def papertally(*commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands one after another in a process that imports torch once."""
        env = {"PYTHONPATH": os.pathsep.join([str(site), sysconfig.get_path("purelib")])}
        each = "import sys; from papertally.cli import main\nfor each in sys.argv[1:]:\n    print(main(each.split()))\n"
        return run(sys.executable, "-S", "-c", blocked("mmengine", "timm") + each, *commands, cwd=tmp_path, **env)

    ledger = tmp_path / "ledger"
    assert papertally("new mine --from table.csv --path ledger").stdout.splitlines()[-1] == "0"
    table = ledger / "tables/table_01.yaml"
    text = table.read_text("utf-8").replace("task: other", "task: classification\ninput: [3, 32, 32]")
    for letter, width in zip("abcd", (16, 32, 64, 128), strict=True):
        text = text.replace(
            f"id: mine_t1_{letter}\n", f"id: mine_t1_{letter}\n    network: module:own.net(width={width})\n"
        )
    table.write_text(text, "utf-8")
    (ledger / "own.py").write_text(NETS)
    (ledger / "computations.py").write_text("def half():\n    return 0.5\n")
    (ledger / "claims.yaml").write_text(
        "schema: 1\nclaims:\n"
        "- {id: h, section: s, statement: Half., kind: cost, computation: half, expect: computed < 1}\n"
    )
    done = papertally(*(f"{verb} --path ledger" for verb in ("count", "claims", "conventions", "report")))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.count("0") == 4
    assert lines[0] == "ledger/results/cost: 4 rows; new or changed: mine_t1_a, mine_t1_b, mine_t1_c, mine_t1_d"
    assert any(line.startswith("madds: one convention gives 4 of 4 counted numbers") for line in lines)
    filed = json.loads((ledger / "results/cost/mine_t1_a.json").read_text("utf-8"))
    assert filed["code_revision"] == "unknown (release 0.1.0)"
    found = json.loads((ledger / "report/report.json").read_text("utf-8"))
    assert {c["verdict"] for c in found["cells"]} == {"reproduced"}
    assert [c["verdict"] for c in found["claims"]] == ["reproduced"]


@pytest.mark.slow
@pytest.mark.parametrize("case", MATRIX)
def test_the_plugin_keeps_its_contract_on(case, wheel, tmp_path):
    """MICRONET_MATRIX=1 fetches what uv's cache lacks, some GB; without it, what is not there is skipped."""
    pytest.importorskip("uv")
    python, *packages = MATRIX[case]
    fetch = os.environ.get("MICRONET_MATRIX") == "1"
    arguments = [
        sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--isolated", "--no-config", "--python", python,
        *([] if fetch else ["--offline"]), "--with", wheel,
        *(word for package in (*packages, "pytest", "setuptools<81") for word in ("--with", package)), "python",
    ]  # fmt: skip
    if (ready := run(*arguments, "-c", "import torch, mmengine", cwd=tmp_path)).returncode:
        reason = ready.stderr.strip().splitlines()[-1][:200] if ready.stderr.strip() else "uv could not make it"
        if fetch and not re.search(r"error sending request|Failed to fetch|dns error|timed out", ready.stderr, re.I):
            pytest.fail(ready.stderr[-2000:])
        pytest.skip(f"{case}: {reason}; MICRONET_MATRIX=1 fetches what lacks")
    (tmp_path / "config.py").write_text(
        "custom_imports = dict(imports=['micronet_repro'])\nmodel = dict(type='MicroNet', arch='m1')\n"
    )
    used = run(*arguments, "-W", "ignore", "-c", USE, "config.py", cwd=tmp_path)
    assert used.returncode == 0, used.stderr[-3000:]
    assert used.stdout.split()[-1] == "True"
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    shutil.copytree(ROOT / "tests/registry/plugin", tmp_path / "plugin")
    contract = ("-W", "ignore", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "plugin")
    done = run(*arguments, *contract, cwd=tmp_path, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_the_matrix_is_what_the_metadata_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    said = {c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c}
    tested = {case[0] for case in MATRIX.values()}
    assert {min(said, key=_version), max(said, key=_version)} <= tested <= said
    assert project["requires-python"] == f">={min(said, key=_version)}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
