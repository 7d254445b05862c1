"""One project's training, from gold to a candidate version."""
