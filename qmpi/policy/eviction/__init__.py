"""What goes from a cache when room is short: orders that know the future, or the past alone."""
