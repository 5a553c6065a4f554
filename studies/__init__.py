"""Finished engineering studies: they ran once, and are kept to be run again; outside the maintained surface."""
