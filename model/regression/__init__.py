"""Logistic regression that corrects the label model's log-odds, and the evidence that it uses."""
