"""Logistic regression around the cues' log-odds, and the evidence that it sees."""
