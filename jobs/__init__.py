"""The stages: each a papermill notebook for the reader, beside the module with its one call."""
