"""The networks: speech encoder, motion memory, style encoder, motion decoder, and MemoryTalker, which joins them."""
