"""Configs, plans, Ray, results, reports, checks and the command line."""
