"""The detector over recorded orders: what it finds of what was hidden in them, and what it finds that is not there."""
