"""The matching engine: book, execution, order rules, groups, fees and accounts in exact integers; no market's description, no wire."""
