"""The plumbing under the notebooks: settings, records, errors, store, services, registry, audit."""
