"""Programs that the doctor runs in processes of their own: what they do may crash, hang or kill."""
