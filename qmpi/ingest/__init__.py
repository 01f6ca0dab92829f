"""From files of text to a corpus: read, judge, dedup, screen, write."""
