"""What training looks like from inside: read from what a run recorded, derived from its weights."""
