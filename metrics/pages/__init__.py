"""The pages of the read side."""
