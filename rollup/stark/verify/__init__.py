"""The verifier in plain Python: transcript, checks, soundness and files."""
