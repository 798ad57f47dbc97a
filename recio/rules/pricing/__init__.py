"""What a contract is worth: models, their fitted numbers, fees."""
