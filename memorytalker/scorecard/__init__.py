"""The open model's table: figures with goals, on data that nobody trained on."""
