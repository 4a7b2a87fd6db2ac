"""Many sounds at once: a folder or a list in, a folder of animations out, resumable, one manifest line per clip."""
