"""What the members along a line say to each other, in waits that can be left."""
