"""The consumer group under thousands of random schedules of faults, in virtual time, from a seed."""
