"""`python -m app.cli` is `spindleshare`, for who starts it with a certain interpreter."""

from app.cli import main

main()
