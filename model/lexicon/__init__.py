"""What element classes are called, and the words and places that speak for them."""
