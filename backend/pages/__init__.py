"""Pages for people: what is learned, what serves, what runs now, for the projects that their own account sees."""
