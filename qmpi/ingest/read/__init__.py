"""Records out of files: text, JSON lines, Parquet, through their compression."""
