"""The daemon's own recording: every turn of entry and exit with all that it saw, in compressed segments that can be decided again."""
