"""The command lines of what counts networks: parsed before torch is imported."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from papertally.command import ledger_parser


def conventions() -> argparse.ArgumentParser:
    """Return the parser of `papertally conventions`."""
    about = "Say under which conventions of counting a network's costs print as stated."
    parser = argparse.ArgumentParser(prog="papertally conventions", description=about)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--network", metavar="NAME", help="timm:NAME, torchvision:NAME, module:pkg.fn(...), a file")
    which.add_argument("--module", metavar="PKG:FACTORY", help="what makes the network, called without arguments")
    which.add_argument("--path", type=Path, metavar="FOLDER", help="every column of a ledger")
    parser.add_argument("--input", default="", metavar="C,H,W", help="one image's shape (default: the network's own)")
    parser.add_argument("--params", default="", metavar="2.6M", help="printed parameters")
    parser.add_argument("--madds", default="", metavar="12.4M", help="printed multiply-adds, or FLOPs")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


def count() -> argparse.ArgumentParser:
    """Return the parser of `papertally count`."""
    return ledger_parser("count", "Count the networks that a ledger's rows name.")


def claims() -> argparse.ArgumentParser:
    """Return the parser of `papertally claims`."""
    return ledger_parser("claims", "Compute what a ledger states of its networks.")


PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "conventions": conventions,
    "count": count,
    "claims": claims,
}
