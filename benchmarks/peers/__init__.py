"""What the daemon is measured against: programs that do the same job in the ways it is usually done."""
