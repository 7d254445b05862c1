"""Predictions that are written into Label Studio rather than asked for."""
