"""Registration: what a version is and says of itself, the gate between it and the champion, and its files."""
