"""What a document is worth: measures, rules, kind and language."""
