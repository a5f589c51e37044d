"""Tests of Firstword; `make test` runs them."""
