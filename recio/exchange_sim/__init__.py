"""A Kalshi that runs on this machine; it shares the units with the daemon and must never share anything else."""
