"""Runs the system on one machine. `python -m local --help` says what there is."""
