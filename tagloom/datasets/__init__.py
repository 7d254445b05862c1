"""Read labelled pictures in a folder: a table of items, the pictures, and perhaps a table of boxes."""
