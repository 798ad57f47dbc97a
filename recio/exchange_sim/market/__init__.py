"""What is traded and what moves it: markets, their calendar, the index, the spot tape, the crowd."""
