"""Building probability tables from candles, off the daemon's path."""
