"""Floor 4: what people look at: status text, HTML report, live view."""
