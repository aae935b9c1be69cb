"""A question to a model that is there already: its plan, its SQL, and the rows."""
