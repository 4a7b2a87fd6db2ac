"""Sound: any file to a waveform, and what can be measured of it."""
