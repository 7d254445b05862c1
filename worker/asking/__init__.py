"""Sources that others wrote: opened as the settings name them, and asked about each item once."""
