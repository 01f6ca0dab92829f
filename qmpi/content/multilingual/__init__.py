"""The content type `multilingual`: one meaning graph in many languages."""
