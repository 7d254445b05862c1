"""Weak sources (nearest gold, industry, boxes) and the label model that weighs them, and the cues, by gold."""
