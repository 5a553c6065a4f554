"""What was found: every JSON form once, its seal, where it comes from and how it is read. Imports no torch."""
