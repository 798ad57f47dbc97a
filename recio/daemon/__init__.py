"""One run of the daemon: composition, start-up, shutdown, signals, venue, data directory, watchdog; it holds no trading logic."""
