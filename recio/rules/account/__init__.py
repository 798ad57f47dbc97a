"""What may be risked, the legal moves of orders and trades, and where the venue differs from our rows."""
