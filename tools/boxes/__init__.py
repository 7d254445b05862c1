"""Make what the box model knows before any gold."""
