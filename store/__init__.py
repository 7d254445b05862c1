"""The database (SQLite or PostgreSQL): projects, tasks, annotations, weak labels, versions and leases."""
