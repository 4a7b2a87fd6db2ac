"""Training of the model: clips, losses, the loop, and the two stages of the paper."""
