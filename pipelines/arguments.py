"""The command lines of the verbs that need torch: parsed before anything heavy is imported, so that --help is quick."""

from __future__ import annotations

import argparse
import ast
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from papertally.counting.arguments import conventions
from papertally.evidence.datasets import TITLES
from papertally.ledger.load import add_ledger_arguments
from pipelines.common import ROOT, cores

#: What the heavy modules know by name; a test holds these to them.
DATASETS = ("cityscapes", "coco", "imagenet", "imagenet_val")
FORMS = ("exported", "onnx", "int8", "executorch")
RELEASED_SIZES = ("4M", "6M", "12M", "21M")
SECTIONS = ("operator", "input")
SHORT_SIDE, QUALITY, SHARD_IMAGES = 384, 96, 4096
#: The recipes that say more than the paper, and all of them.
OTHER_RECIPES = ("official", "hrnet")
RECIPES = ("paper", *OTHER_RECIPES)
#: Variables that stand for options of a full-size run.
AMP, PACKED = "MICRONET_AMP", "MICRONET_PACKED"
Parser = argparse.ArgumentParser


def documented(module: str) -> str:
    """Return a module's docstring without importing the module."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8"))) or ""


def parser_of(verb: str, module: str, description: str = "", *, epilog: bool = False) -> Parser:
    """Return a verb's parser without options.

    Args:
        verb: as it is typed.
        module: the module that runs, for its docstring.
        description: instead of the docstring's first line.
        epilog: whether the rest of the docstring follows the options.
    """
    first, _, rest = documented(module).partition("\n\n")
    return Parser(
        prog=f"micronet {verb}",
        description=description or first,
        epilog=rest if epilog else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def fingerprint() -> Parser:
    out = parser_of("fingerprint", "pipelines.analysis.fingerprint", "Write what rows' results depend on.")
    out.add_argument("--row", nargs="+", default=[], metavar="ROW", help="these only (default: all)")
    return out


def cost() -> Parser:
    out = parser_of("cost", "pipelines.analysis.cost")
    add_ledger_arguments(out)
    return out


def claims() -> Parser:
    out = parser_of("claims", "pipelines.analysis.claims")
    add_ledger_arguments(out)
    return out


def forensics() -> Parser:
    return parser_of("forensics", "pipelines.analysis.forensics")


def figures() -> Parser:
    return parser_of("figures", "pipelines.analysis.figures")


def digits() -> Parser:
    return parser_of("data", "pipelines.data.digits")


def recipes() -> Parser:
    out = parser_of("recipes", "pipelines.analysis.compared", "List what a recipe changes of a row.")
    out.add_argument("--recipe", nargs="+", choices=OTHER_RECIPES, default=OTHER_RECIPES, help="default: all")
    out.add_argument("--row", nargs="+", default=[], metavar="ROW", help="these only (default: all)")
    out.add_argument("--write", action="store_true", help="renew the tables of the documents")
    return out


def train() -> Parser:
    out = parser_of(
        "train", "pipelines.training.__main__", "Train and evaluate a row and file its evidence.", epilog=True
    )
    out.add_argument("--row", required=True, help="row id, as in the ledger")
    out.add_argument("--profile", choices=("mini", "proxy", "paper"), default="mini")
    out.add_argument("--seed", type=int, default=0, help="proxy and paper; mini's is params.yaml's")
    full = out.add_argument_group("profile paper")
    full.add_argument("--recipe", choices=sorted(RECIPES), default="paper", help="see below")
    full.add_argument(
        "--data",
        type=Path,
        help="data folder or packed set; default: data/NAME, or $IMAGENET_ROOT, $COCO_ROOT, $CITYSCAPES_ROOT; profile "
        "proxy: cifar10 (default) or cifar100",
    )
    packed_set, amp = (os.environ.get(name) == "1" for name in (PACKED, AMP))
    full.add_argument(
        "--packed", action="store_true", default=packed_set, help=f"read data/imagenet_packed (or {PACKED}=1)"
    )
    places = ("workers", "device")
    full.add_argument(
        "--decode",
        choices=places,
        default="workers",
        help="where a packed set's JPEGs are decoded (device: and resized)",
    )
    full.add_argument(
        "--resize", choices=places, default="workers", help="where a packed set's crops are resized and flipped"
    )
    full.add_argument("--workers", type=int, default=8, help="loading processes a process (default 8)")
    full.add_argument("--launcher", choices=("none", "auto", "pytorch", "slurm"), default="none")
    full.add_argument("--amp", action="store_true", default=amp, help=f"mixed precision (or {AMP}=1)")
    full.add_argument("--dry-run", action="store_true", help="a few steps on a tiny set; files nothing")
    full.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return out


def orderings() -> Parser:
    out = parser_of(
        "orderings",
        "pipelines.training.orderings",
        "Run and choose the registered orderings on CIFAR-10 or CIFAR-100.",
        epilog=True,
    )
    verbs = out.add_subparsers(dest="verb", required=True)
    shared = Parser(add_help=False)
    shared.add_argument("--data", choices=sorted(TITLES), help="the set (default: the registration's)")
    one = verbs.add_parser("run", parents=[shared], help="run what is registered and not filed")
    one.add_argument("--phase", choices=("pilot", "confirm", "multiverse"))
    one.add_argument("--row", help="one run: of this row")
    one.add_argument("--schedule", help="one run: by this schedule (default: the chosen one)")
    one.add_argument("--seed", type=int, help="one run: with this seed")
    verbs.add_parser("choose", parents=[shared], help="apply the rule to the pilot's evidence")
    verbs.add_parser("costs", parents=[shared], help="count the compared networks at the protocol's resolution")
    verbs.add_parser("status", parents=[shared], help="how many runs are filed")
    return out


def show() -> Parser:
    out = parser_of("show", "pipelines.training.show", "Draw a trained row's predictions.")
    out.add_argument("--row", required=True, help="a row of Table 8 or 9, trained by the profile mini")
    out.add_argument("--count", type=int, default=4, help="images (default 4)")
    out.add_argument("--out", type=Path, help="default: work_dirs/ROW.jpg")
    return out


def released() -> Parser:
    out = parser_of("released", "pipelines.training.released", "Evaluate a released checkpoint on ImageNet val.")
    out.add_argument("--checkpoint", type=Path, required=True, help="the released file")
    out.add_argument("--size", choices=RELEASED_SIZES, required=True, help="6M is this paper's M0, 12M its M1")
    out.add_argument("--entry", help="which weights, as state_dict_ema; default: plain ones before averages")
    out.add_argument(
        "--ledger", choices=("", "micronet_iccv2021"), default="", help="the later version's: micronet_iccv2021"
    )
    out.add_argument("--data", type=Path, help="holds val/; default: data/imagenet, or $IMAGENET_ROOT")
    out.add_argument("--batch-size", type=int, default=256)
    out.add_argument("--workers", type=int, default=8)
    return out


def cityscapes() -> Parser:
    out = parser_of("cityscapes", "pipelines.data.cityscapes", "Make Cityscapes' labelTrainIds where they are absent.")
    out.add_argument("root", nargs="?", type=Path, default=ROOT / "data/cityscapes")
    return out


def verify() -> Parser:
    out = parser_of("verify", "pipelines.data.verify", "Check a full-size dataset against its pin.")
    out.add_argument("dataset", choices=DATASETS)
    out.add_argument("--root", type=Path, help="default: data/DATASET")
    return out


def pack() -> Parser:
    about = "Pack an image folder for fast training, or verify a packed one."
    out = parser_of("pack", "pipelines.packed.pack", about)
    out.add_argument("--source", type=Path, help="holds train/ and val/; default: data/imagenet, or $IMAGENET_ROOT")
    out.add_argument("--out", type=Path, default=ROOT / "data/imagenet_packed")
    out.add_argument("--short-side", type=int, default=SHORT_SIDE, help="of training images (default %(default)s)")
    out.add_argument("--quality", type=int, default=QUALITY, help="of training JPEGs (default %(default)s)")
    out.add_argument("--jobs", type=int, default=cores(), help="default: the cores")
    out.add_argument("--shard-images", type=int, default=SHARD_IMAGES, help="images a shard (default %(default)s)")
    out.add_argument("--unverified", action="store_true", help="pack any image folder; its runs settle nothing")
    out.add_argument("--verify", type=Path, metavar="FOLDER", help="check a packed folder against its manifest")
    return out


def bench() -> Parser:
    about = "Measure training and inference of the networks side by side; bench latency, bench official: one thing."
    out = parser_of("bench", "pipelines.bench.run", about)
    out.add_argument("--batch-size", type=int, help="default: 512 on a GPU, 16 on a CPU")
    out.add_argument("--rounds", type=int, default=3, help="measured rounds (default 3)")
    out.add_argument("--rows", nargs="+", help="row ids; default: Table 2's without mutual learning and Table 5's")
    out.add_argument("--sections", nargs="*", choices=SECTIONS, default=SECTIONS, help="beside the networks' rates")
    out.add_argument("--compile", action="store_true", help="measure torch.compile of whole networks too (minutes)")
    out.add_argument("--out", type=Path, help="file to write; default: results/bench/cpu.json or gpu.json")
    return out


def export() -> Parser:
    out = parser_of("export", "pipelines.deploy.export", epilog=True)
    out.add_argument("--row", help="a row that has a network: a config's name")
    out.add_argument("--to", choices=FORMS, help="the form")
    out.add_argument("--all", action="store_true", help="with --check: every row; takes minutes")
    out.add_argument("--check", action="store_true", help="compare exported programs and ONNX with the network")
    out.add_argument("--weights", type=Path, help="a checkpoint of the row; without it the weights are random")
    out.add_argument("--out", type=Path, help="the file (default: work_dirs/export/ROW and the form's suffix)")
    out.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="default: the paper's")
    out.add_argument("--calibration", type=Path, metavar="FOLDER", help="images that int8 takes its ranges from")
    out.add_argument("--images", type=int, default=128, help="how many of them (default: %(default)s)")
    out.add_argument("--static", action="store_true", help="onnx: fix batch and size")
    out.add_argument("--batch", type=int, help="the fixed batch, with --static (default: 1)")
    out.add_argument("--no-gather", action="store_true", help="onnx: shift by split and concatenation, as ncnn needs")
    return out


#: By verb; `file` and `evidence` parse for themselves.
PARSERS: dict[str, Callable[[], Parser]] = {
    "conventions": conventions,
    "fingerprint": fingerprint,
    "cost": cost,
    "claims": claims,
    "forensics": forensics,
    "figures": figures,
    "data": digits,
    "recipes": recipes,
    "train": train,
    "orderings": orderings,
    "show": show,
    "released": released,
    "cityscapes": cityscapes,
    "verify": verify,
    "pack": pack,
    "bench": bench,
    "export": export,
}
#: First words of a verb that have options of their own.
SUBCOMMANDS = {"bench": ("latency", "official")}
