"""Faults on request, and the administration that asks for them."""
