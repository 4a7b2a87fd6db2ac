"""Known motion: bundled or a visitor's own, read, checked, and compared with what the talker predicts."""
