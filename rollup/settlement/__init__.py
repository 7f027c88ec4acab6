"""A batch's way from sealing to L1: its stages and what is paid at the end."""
