"""What a record is, where records flow and where they rest: the one source that everything else is made from."""
