"""The exchange's WebSocket: commands, subscriptions, frames; and the spot feeds beside it."""
