"""Training and evaluating a row by a profile's settings; every run files its evidence."""
