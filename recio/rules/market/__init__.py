"""What a market is: its terms, its book, its quotes, how it settles."""
