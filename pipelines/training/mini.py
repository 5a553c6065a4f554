"""Stage `train@ROW`: train a row on the mini profile's data and evaluate it, in one process.

python -m pipelines mini --row t2_micronet_m0

A killed run resumes from its last epoch and ends in the unkilled one's weights, bit for bit on one machine. What is
trained already is only evaluated.
"""

from __future__ import annotations

import argparse

from pipelines.common import guard, task_of


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, train, evaluate, file the evidence and print the metrics."""
    parser = argparse.ArgumentParser(description="Train and evaluate one row of the paper's tables on small data.")
    parser.add_argument("--row", required=True, help="row id, as in the ledger")
    row = parser.parse_args(argv).row
    if task_of(row) == "classification":
        from pipelines.training.evaluate import evaluate
        from pipelines.training.train import train
    else:
        from pipelines.training.dense import evaluate, train
    train(row)
    values = evaluate(row)["values"]
    print(f"{row}: " + ", ".join(f"{name} {value:.2f} %" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
