"""Measurements against a floor in the same run, reported as ratios; never timed tests."""
