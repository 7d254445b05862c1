"""What encoders and reader make of an item, computed once and kept."""
