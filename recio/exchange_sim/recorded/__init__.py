"""Serves a recorded session instead of a simulated market."""
