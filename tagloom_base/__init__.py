"""The lowest package: settings, errors, logs, redaction, memory and files. It imports no other package of Tagloom."""
