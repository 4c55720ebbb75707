"""The job that makes recommendations from the lake's order lines, judges them, and puts them into service."""
