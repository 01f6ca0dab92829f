"""Make, read, check and mend data: built-in corpora, generated shards, audits."""
