"""A venue and a price source that do only what a measurement needs, in one process that takes every time stamp."""
