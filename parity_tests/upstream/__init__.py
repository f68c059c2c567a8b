"""The libraries' own tests, run of the libraries as they are and with our functions in place of theirs."""
