"""Our functions in the place of the libraries' own: stand-ins, and patches of the libraries themselves."""
