"""Web server logs from files into the stream."""
