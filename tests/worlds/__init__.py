"""What many tests start from, built once a run and shared by its workers: read it, or copy it and change the copy."""
