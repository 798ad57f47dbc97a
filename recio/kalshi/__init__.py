"""The venue's client: signing, REST, WebSocket, and the one place where its bytes become our messages."""
