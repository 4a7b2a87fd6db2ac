"""Recorded faces with their sound, in the forms that people have them on disk."""
