"""The whole platform on one machine: engines, supervisor, replay, ledger, verification."""
