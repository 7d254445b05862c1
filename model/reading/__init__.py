"""Optical character recognition: text blocks with their places."""
