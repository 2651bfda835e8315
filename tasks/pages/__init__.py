"""The report page: pure functions from the ledger's rows to HTML."""
