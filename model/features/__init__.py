"""Features of items, which encoders and reader compute once, and their files."""
