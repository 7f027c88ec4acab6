"""What every room of the market shares: orders, specs, states and limits."""
