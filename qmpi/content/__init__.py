"""Floor 3: procedural text with verified answers. A document is a pure function of its address."""
