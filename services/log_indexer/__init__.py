"""Log entries from the stream into the search index."""
