"""Versions: kept in S3, judged against the one in service, put into service at once for all readers. Needs no Spark."""
