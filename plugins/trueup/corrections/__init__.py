"""The outbox: propose, hold, claim, apply, read back."""
