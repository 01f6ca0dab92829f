"""One file that holds a whole Python environment, and the way back from it to a directory."""
