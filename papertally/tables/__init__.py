"""Read printed tables (LaTeX, Markdown, HTML, CSV) into a ledger; what cannot be read stands as a line to mend."""
