"""`python -m pipeline` is `liq`."""

from .cli import main

if __name__ == "__main__":
    main()
