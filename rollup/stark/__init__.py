"""A STARK of the exchange's batch transition; import its parts by name."""
