"""The content type `conversation`: talk that changes a shared state, turn by turn."""
