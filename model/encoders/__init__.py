"""Frozen encoders of pictures and texts, named in settings and replaceable."""
