"""Floor 1: what ranks say to each other. Tagged frozen Structs, one union, one codec."""
