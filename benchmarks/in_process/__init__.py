"""Single steps of the daemon's work inside this process, each against the least that it could cost."""
