"""The open model's table: figures with goals, on held-out data."""
