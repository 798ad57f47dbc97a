"""The WebSocket: commands, subscriptions and frames; it changes nothing at the venue."""
