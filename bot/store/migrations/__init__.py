"""Numbered migrations of the store's schema, run through Alembic; imported only when one is due."""
