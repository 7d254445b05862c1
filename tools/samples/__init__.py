"""Drawn main images: seeded shop pictures with title, industry and element boxes."""
