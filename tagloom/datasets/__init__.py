"""Labelled pictures in a folder: a table of items, the pictures, perhaps a table of boxes."""
