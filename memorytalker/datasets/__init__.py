"""Data sets: recorded faces with their sound, read from every form in which people have them on disk."""
