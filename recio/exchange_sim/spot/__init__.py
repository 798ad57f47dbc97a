"""Look-alikes of Coinbase's and Kraken's public feeds beside the exchange; they trade with nobody."""
