"""The exchange block as sequential Numba functions over one lane's arrays."""
