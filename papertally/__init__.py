"""Check a paper number by number: what it prints, as data; what contradicts; on what evidence; at which cost."""
