"""Progressive continual training: phases, optimizer, processes."""
