"""Intent (model.yaml), settings (environment) and paths. Only this floor knows a YAML key."""
