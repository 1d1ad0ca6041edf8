"""Why a network does not learn: causes are tried, and proven against a control and a random change."""
