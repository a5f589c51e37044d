"""The Matrix adapter against a real server."""
