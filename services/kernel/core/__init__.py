"""Settings, errors, logs, metrics, health, lifecycle, retry and tokens."""
