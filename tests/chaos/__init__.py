"""Whole lives of the bot in virtual time, with a seed for everything that can go wrong, and an auditor at the end."""
