"""Technical documentation of invented software systems."""
