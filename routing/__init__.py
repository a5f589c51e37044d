"""Choosing a model for a message, and carrying the choice out. Decisions are pure; only execute and cascade wait."""
