"""Evidence and ledger to verdicts to pages; imports no torch."""

from pathlib import Path

from papertally.shadowing import check_own

check_own(Path(__file__).resolve().parent.parent, "papertally")
