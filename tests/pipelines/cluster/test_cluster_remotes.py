"""Checkpoints, evidence and packed data go through DVC remotes, a directory and an S3 endpoint, byte for byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster_project import ROWS, cluster, notes, project, status

from pipelines.cluster.__main__ import main
from pipelines.cluster.plan import all_tasks
from pipelines.common import load_params

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
PRODUCED = ("checkpoints", "results", "data/packed")


def dvc(root: Path, *args: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args], cwd=root, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def contents(root: Path) -> dict[str, str]:
    files = (p for folder in PRODUCED for p in (root / folder).rglob("*") if p.is_file())
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
        if p.name != ".gitignore"
    }  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Return a project with two full-size runs and a packed directory, which a stand-in for a `pack` stage made."""
    root = tmp_path_factory.mktemp("finished")
    project(root, rows=2, seeds=1, steps=1, seconds=0)
    (root / "pack.py").write_text(
        "import os, pathlib\n"
        "out = pathlib.Path('data/packed'); (out / 'train').mkdir(parents=True)\n"
        "for i in range(3): (out / f'train/{i}.bin').write_bytes(bytes(range(256)) * (1000 + i))\n"
        "(out / 'index.json').write_text('{}')\n"
    )
    stage = {"cmd": "python pack.py", "deps": ["pack.py"], "outs": ["data/packed"]}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"pack": stage}}))
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    dvc(root, "repro", "-q", env=env)
    for task in all_tasks(root, load_params(root), "paper", "paper").values():
        subprocess.run([sys.executable, *task.command()], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture(params=["directory", "s3"])
def remote(request, tmp_path) -> Iterator[tuple[list[list[str]], dict[str, str]]]:
    """Return the commands that add a remote named `cluster`, as README.md has them, and the environment they need."""
    if request.param == "directory":
        yield [["remote", "add", "-f", "cluster", str(tmp_path / "remote")]], dict(os.environ)
        return
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="tests", aws_secret_access_key="tests"
        ).create_bucket(Bucket="micronet")
        env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and k != "AWS_CA_BUNDLE"}
        yield [
            ["remote", "add", "-f", "cluster", "s3://micronet/dvc"],
            ["remote", "modify", "cluster", "endpointurl", url],
        ], {**env, **CREDENTIALS}  # fmt: skip
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.long
def test_results_and_packed_data_come_back_byte_for_byte(finished, remote, tmp_path, monkeypatch, capsys):
    root = tmp_path / "project"
    shutil.copytree(finished, root)
    commands, env = remote
    for command in commands:
        dvc(root, *command, env=env)
    before = contents(root)
    assert len(before) == 4 + 2 + 2 + 4 + 2 * 4  # weights and evidence, curves, evidence, packed data, bits twice
    ran = notes(root, "t5_relu.paper.s0")

    pushed = cluster(root, "collect", "--profile", "paper", "--push", "cluster", env=env)
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert "pushed 2 results" in pushed.stdout
    dvc(root, "push", "-q", "-r", "cluster", "pack", env=env)
    shutil.rmtree(root / ".dvc/cache")
    for folder in (*PRODUCED, "work_dirs"):  # as on another machine: nothing was ever submitted there
        shutil.rmtree(root / folder)
    assert contents(root) == {}

    dvc(root, "pull", "-q", "-r", "cluster", "--allow-missing", "pack", "full/dvc.yaml", env=env)
    collected = cluster(root, "collect", "--profile", "paper", env=env)
    assert collected.returncode == 0, collected.stdout + collected.stderr
    assert contents(root) == before
    assert status(root, *(f"full/dvc.yaml:imagenet@{row}-paper-0" for row in ROWS[:2])) == {}
    with monkeypatch.context() as patched:  # ImageNet is not there
        patched.setattr("pipelines.cluster.submit.prepare", lambda *_: None)
        assert (
            main(["submit", "--root", str(root), "--profile", "paper", "--executor", "local", "--gpus-per-task", "0"])
            == 0
        )
    assert "2 finished, 0 on their way, 0 to send" in capsys.readouterr().out
    assert notes(root, "t5_relu.paper.s0") == ran


@pytest.mark.slow
@pytest.mark.long
def test_a_remote_that_is_not_there_is_one_line(finished, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(finished, root)
    done = cluster(root, "collect", "--profile", "paper", "--push", "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: dvc push: ")
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
