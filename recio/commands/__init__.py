"""One file per command or family of commands: its options, and what it does; nothing else parses arguments."""
