"""Council recordings and their official minutes, turned into a model that drafts the next minutes

Modules:

- `astra_lib.core.errors`: Errors that say what is wrong, where, and what to do.
- `astra_lib.core.records`: The records that pass between the stages, and their JSON and JSONL form."""

__version__ = "0.1.0"
