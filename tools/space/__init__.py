"""A container like that of a Hugging Face Space, in which the page is served and visited."""
