"""Orders and dead letters from their streams into the landing of the lake, as Parquet."""
