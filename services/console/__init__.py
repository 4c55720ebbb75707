"""The console: where operators and analysts look at what the platform knows."""
