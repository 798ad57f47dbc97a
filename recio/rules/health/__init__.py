"""What counts as sick, what lies behind it, and how far the clocks are apart."""
