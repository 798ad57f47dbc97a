"""Orders meet here: book, execution, order rules, fees and the account, in exact integers."""
