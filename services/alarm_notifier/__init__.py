"""Turns incidents into messages: the right people, once, with the reason."""
