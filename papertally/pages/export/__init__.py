"""Evidence that travels: a research object of report and evidence, a hub's result files, a page for an editor."""
