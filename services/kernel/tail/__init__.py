"""Files read with durable positions."""
