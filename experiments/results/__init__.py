"""What a finished experiment is: tables, statistics, checks and pins."""
