"""Phones with times to face curves: what the mouth does for each phone, how neighbours blend, who is speaking."""
