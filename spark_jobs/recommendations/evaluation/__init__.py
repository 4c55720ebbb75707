"""How good the recommendations are: against what others would use, on days that nobody was shown."""
