"""Progressive continual training: from a parent and a learning problem to the next tagger."""
