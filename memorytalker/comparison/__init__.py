"""Ground-truth motion beside predictions: reading, metrics, video."""
