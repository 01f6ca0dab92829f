"""The content type `scientific`: papers whose numbers are computed from generated data."""
