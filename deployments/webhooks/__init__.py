"""Tells subscribers of what happens: what is to be told, to whom, and how it is sent."""
