"""The models' side: one contract, many dialects. See README.md for "Write a provider in an afternoon"."""
