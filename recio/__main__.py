"""`python -m recio` is the recio command."""

from recio.cli import main

if __name__ == "__main__":
    main()
