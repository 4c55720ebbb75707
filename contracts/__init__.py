"""What a record is, where records flow and where they rest: the one source of everything else."""
