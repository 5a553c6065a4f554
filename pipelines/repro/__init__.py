"""README's first command: every stage, several at a time, and the report."""
