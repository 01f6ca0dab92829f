"""Scientific texts about invented studies with real statistics."""
