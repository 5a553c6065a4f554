"""Side-by-side ratios: operators and input."""
