"""What runs by itself, night after night: models are watched, people are told, accuracy is audited."""
