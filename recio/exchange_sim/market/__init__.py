"""What is traded: series, strikes, markets and their life, and the indices they settle on; it makes no prices of them."""
