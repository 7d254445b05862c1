"""What a training sees of a project: features, gold, product families."""
