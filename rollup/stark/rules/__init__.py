"""The rules that a proof holds a batch to, as constraints on columns."""
