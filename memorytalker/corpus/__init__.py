"""Making training clips: phone times for speech, recorded face motion, and the clips built from both."""
