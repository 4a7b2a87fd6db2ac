"""The soak: thousands of broken files through every reader, each within five seconds and a gigabyte."""
