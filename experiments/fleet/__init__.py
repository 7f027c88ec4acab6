"""Many runs: how they are divided into shards, simulated and spread over Ray."""
