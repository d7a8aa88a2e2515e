"""The command line: thin, one library call per verb, imports late so that `astra --help` is quick."""
