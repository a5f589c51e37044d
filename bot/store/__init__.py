"""The daemon's disk: inbox, turns, conversations, cursors. `base` is the contract, `sqlite` the embedded engine."""
