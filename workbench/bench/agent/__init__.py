"""`spindleshare bench agent`: what the machine agent costs."""
