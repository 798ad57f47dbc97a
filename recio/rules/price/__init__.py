"""What a coin is worth: sources, consensus, momentum, volatility."""
