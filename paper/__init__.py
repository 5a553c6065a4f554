"""The ledger: what arXiv 2011.12289v1 prints, as data with one small loader. It holds no computed number."""

from paper.ledger import Cell, Claim, Ledger, LedgerError, Row, Table, load_ledger

__all__ = ["Cell", "Claim", "Ledger", "LedgerError", "Row", "Table", "load_ledger"]
