"""Damaged inputs for every command, by the thousand: `python -m tests.fuzz`."""
