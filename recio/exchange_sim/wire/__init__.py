"""Kalshi's interfaces as clients see them: REST, WebSocket and the administration beside them; it matches nothing."""
