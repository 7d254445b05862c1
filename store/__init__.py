"""What is known: projects, tasks, annotations, weak labels, versions, leases (SQLite or PostgreSQL)."""
