"""The rim: one library a file."""
