"""The only code that touches a cloud SDK."""
