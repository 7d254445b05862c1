"""Frozen encoders of pictures and texts; the settings name which ones are used."""
