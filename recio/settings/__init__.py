"""recio.toml as frozen, checked models: what every setting is called, its unit, bounds and default; it starts nothing."""
