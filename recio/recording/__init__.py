"""The daemon's own recording: every cycle of entry and exit with all that it saw, in compressed segments that can be decided again."""
