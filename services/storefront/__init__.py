"""Serves customers and operators the order history by HTTP."""
