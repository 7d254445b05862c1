"""Read the data of an evaluation, and show its results."""
