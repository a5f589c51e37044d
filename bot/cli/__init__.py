"""The command line: `main` finds the verb, one file a verb. Nothing heavy is imported before a verb runs."""
