"""The ground floor: settings, errors, logs, redaction, memory, clocks, files. It imports no other package of ours."""
