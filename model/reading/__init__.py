"""Optical character recognition: the text blocks of a picture with their places."""
