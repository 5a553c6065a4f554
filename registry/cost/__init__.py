"""Costs in closed form: terms of a count, nets of known structure, and tracing for all others."""
