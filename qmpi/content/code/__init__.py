"""Code: small typed programs, run by an interpreter of their own and written in many languages."""
