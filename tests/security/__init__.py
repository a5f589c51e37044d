"""Attacks that have worked against somebody, as tests: doors, listeners, addresses, secrets."""
