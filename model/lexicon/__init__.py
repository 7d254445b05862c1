"""The lexicon of element classes, and the cues that it defines."""
