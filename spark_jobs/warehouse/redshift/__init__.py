"""Exports of the lake's star into the warehouse: each whole and once, and equal to the lake when it is there."""
