"""Takes what somebody must be told out of the house: channels, messages on their way, pings; nothing in trading waits for it."""
