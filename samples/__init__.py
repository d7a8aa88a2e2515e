"""The sample municipality and what builds it: `python -m samples.build`, from the project's folder."""
