"""A row's network outside of training: written for other runtimes."""
