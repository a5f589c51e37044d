"""The migrations, one file a number. A published one is never changed."""
