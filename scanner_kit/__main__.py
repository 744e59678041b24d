"""`python -m scanner_kit` is `scanner-kit`."""

from scanner_kit.cli import main

if __name__ == "__main__":
    main()
