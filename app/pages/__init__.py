"""The web pages: one file per page, small view values, never rows."""
