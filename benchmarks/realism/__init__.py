"""How much a simulated market is like the recorded ones: the same figures measured on both; it changes neither."""
