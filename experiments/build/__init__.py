"""From a config to the specs and parameters of a world."""
