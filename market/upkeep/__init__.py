"""What a block does by itself: oracle, mark, stops, breakers and funding."""
