"""The processes of one Tagloom: Valkey, the backend, workers; started together, watched, ended together."""
