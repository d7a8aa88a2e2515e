"""`python jobs/run_mining.py DIR --tenant T --out DIR` is the same as `astra mine`."""

import sys

from jobs.mine import main

if __name__ == "__main__":
    sys.exit(main())
