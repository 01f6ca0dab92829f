"""The job file: typed, frozen, checked when it is loaded. Floor 0, above `errors` and `units`."""
