"""Changes of any kind: propose, hold, claim, send, read back. What a workflow wants is said by its policy."""
