"""The mechanisms that every container shares; knows no service."""
