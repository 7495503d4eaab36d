"""GitHub: what its events and its API say, in the words of the domain."""
