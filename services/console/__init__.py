"""What operators and analysts look at."""
