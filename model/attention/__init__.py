"""Dual-channel attention between picture and text, class queries and fusions: the network and what goes into it."""
