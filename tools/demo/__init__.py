"""The demo: a simulated Label Studio acts as annotators for the real services, and the gain is measured."""
