"""The content type `mathematics`."""
