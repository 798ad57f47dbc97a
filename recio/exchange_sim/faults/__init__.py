"""Faults on request: what is armed, and what it does to markets; nothing fails unarmed."""
