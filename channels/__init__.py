"""The people's side: one contract, many adapters. See README.md for "Write a channel in an afternoon"."""
