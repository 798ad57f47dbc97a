"""Steps of the comparison with the venue that need both the venue and the rows; they are no tasks, and write nothing."""
