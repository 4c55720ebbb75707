"""The web servers' logs, asked within bounds: pure, but for `search.py`."""
