"""The file beside the report that tells what it was made of; in a module of its own, which takes no time to import."""

#: In the report's folder: the digest of what the report there was made of (report.refresh).
STAMP = "inputs.sha256"
