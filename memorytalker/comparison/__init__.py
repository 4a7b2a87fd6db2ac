"""Known motion beside what the model says: reading, measuring, pictures."""
