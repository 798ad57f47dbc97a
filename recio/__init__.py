"""recio: a trading daemon for Kalshi's crypto threshold contracts."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("recio")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0+unknown"
