"""The page's sections; app.py lays them out."""
