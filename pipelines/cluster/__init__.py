"""Send the rows of the tables as tasks to Slurm or to this machine's cores; each runs the trainer."""
