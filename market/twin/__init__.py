"""The exchange in plain Python, one rule a file: the specification of the forms."""
