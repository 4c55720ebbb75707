"""Mutants of the consumer group's pure core: small changes to the code that a test has to notice."""
