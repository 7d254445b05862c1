"""``tagloom up``: Label Studio with the sample project, connected to a running Tagloom."""
