"""Coverage-guided fuzzing of everything that reads what strangers send: `make chaos`, or `python -m tests.fuzz`."""
