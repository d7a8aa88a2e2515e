"""Training on rented hardware: the job manager here, the worker over there, and a receipt between them."""
