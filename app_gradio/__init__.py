"""The service: one base model, one adapter per council, swapped while requests are in flight."""
