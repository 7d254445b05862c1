"""The lowest package: settings, errors, clock, logs, redaction, memory, files. It imports no other package of ours."""
