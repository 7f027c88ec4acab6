"""What can go wrong on the chain, when, and with which effect."""
