"""Live: sound as it arrives from a microphone, a pipe or a file, and its motion sent to other programs at once."""
