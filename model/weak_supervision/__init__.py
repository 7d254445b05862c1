"""Weak sources (text cues, nearest gold, industry) and the label model that weighs them by gold."""
