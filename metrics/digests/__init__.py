"""Digests: the week in a message. What it says, how it is written, when it is due, and how it is sent."""
