"""The simulated order flow: makers and takers with the figures they follow; it never touches an order of the account."""
