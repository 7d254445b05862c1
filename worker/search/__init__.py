"""What is kept of each project so that its items are found, and how they are found."""
