"""Notices an unusual rate of orders, by event time, and tells of it as incidents."""
