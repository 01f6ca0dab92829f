"""What a machine lacks for a job, found before the job starts, with what to do about it."""
