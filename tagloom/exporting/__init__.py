"""What `tagloom export` writes: a project's tasks as records, and a writer for each format."""
