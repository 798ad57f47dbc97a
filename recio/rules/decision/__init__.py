"""Whether to buy or sell now, how much, and if not, why not."""
