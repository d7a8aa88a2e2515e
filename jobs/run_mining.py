"""`python jobs/run_mining.py DIR --tenant T --out DIR` is `astra mine`, for whoever knows the path and not the command."""

import sys

from jobs.mine import main

if __name__ == "__main__":
    sys.exit(main())
