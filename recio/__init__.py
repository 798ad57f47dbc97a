"""recio: a trading daemon for Kalshi's crypto threshold contracts."""

__version__: str


def __getattr__(name: str) -> str:
    """The version is looked up when it is asked for: a command that waits for it could not be given up by then."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("recio")
    except PackageNotFoundError:  # running from a source tree that was never installed
        return "0+unknown"
