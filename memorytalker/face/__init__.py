"""The face: its mesh, its curves and what moves them."""
