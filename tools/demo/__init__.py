"""The demonstration: a simulated Label Studio plays annotators against the real services, and the gain is measured."""
