"""From verdicts to the pages' content, figures and templates; no arithmetic in templates."""
