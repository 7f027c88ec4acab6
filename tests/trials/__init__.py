"""Trials by hand: what takes too long, or is too random, for a test of every change.

`python -m tests.trials.interrupts` sends Ctrl-C to first runs, `python -m
tests.trials.kills` kills runs and resumes them.
"""
