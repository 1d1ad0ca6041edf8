"""The page of a run while it goes on: the report's own sections, sent again as the files of the run change."""
