"""The checks, by what they look at; each is a small function of what was found out."""
