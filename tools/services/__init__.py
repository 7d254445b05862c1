"""The processes of one Tagloom: Valkey, backend and workers. They are started, watched and ended together."""
