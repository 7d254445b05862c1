"""Reading what is evaluated on, and showing what came out."""
