"""What a command does around a job: prepare it, start it, watch it, strike it, sample from it."""
