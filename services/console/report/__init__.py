"""The report: a range of the web servers' logs on one page, for a terminal or a browser."""
