"""Sound: decoding any file to a waveform, log-mels, prosody and acoustic measures."""
