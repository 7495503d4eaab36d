"""The pages of the write side."""
