"""From evidence and ledger to verdicts; knows nothing of pages."""
