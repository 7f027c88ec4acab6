"""Exact integer arithmetic, units, random words and declared numbers."""
