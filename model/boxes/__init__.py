"""Boxes of a picture's elements: candidates, cold start without gold, a head learned from gold rectangles."""
