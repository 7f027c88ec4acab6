"""Merkle roots over the accounts, their hashes and a plain-Python verifier."""
