"""The lab in Mesa: the model, its participants, and guests in plain Python."""
