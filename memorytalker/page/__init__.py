"""The page's sections; demo.py lays them out."""
