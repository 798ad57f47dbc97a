"""Every message that crosses a wire, by subject, and nothing else: frozen facts, intents and commands, no behaviour.

Facts are past participles, intents end in Intent, commands are imperatives. Times are aware UTC in
market time, prices and quantities the integers of recio.units, probabilities floats in [0, 1].
"""
