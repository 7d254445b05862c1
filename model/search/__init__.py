"""Search over items: vectors of one width for all encoders, exact nearest ones, look-alikes, and variety."""
