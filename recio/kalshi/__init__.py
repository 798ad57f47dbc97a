"""The client of Kalshi: signing, REST, WebSocket, and the one place where its bytes become our messages; it never decides."""
