"""The adapter engine: loop, model, checkpoint, objective. It knows no task."""
