"""Which article for whom: pure NumPy over blocks of customers, without Spark."""
