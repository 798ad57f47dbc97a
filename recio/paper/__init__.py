"""Trades that were not real: what an order would have got, the account of it, and the cycle that decides; nothing here orders."""
