"""Styles: how somebody moves the face while speaking, as a thing that can be saved, mixed, described and learned."""
