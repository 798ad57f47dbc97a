"""Who listens to what, found by channel and market without looking at anybody else; it sends nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from recio.exchange_sim.wire.ws.subscriptions import Subscription


class Audience:
    """Every subscription of every socket, by the markets or indices it names."""

    def __init__(self) -> None:
        self._everything: dict[str, dict[Subscription, None]] = {}
        self._by_key: dict[tuple[str, str], dict[Subscription, None]] = {}

    def admit(self, subscription: Subscription, keys: set[str] | None) -> None:
        """A new subscription, to every market when it names none."""
        subscription.keys = None if keys is None else set()
        if keys is None:
            self._everything.setdefault(subscription.channel, {})[subscription] = None
        else:
            self.widen(subscription, keys)

    def widen(self, subscription: Subscription, keys: Iterable[str]) -> None:
        """Add markets; a subscription to every market stays what it is."""
        if subscription.keys is None:
            return
        for key in keys:
            subscription.keys.add(key)
            self._by_key.setdefault((subscription.channel, key), {})[subscription] = None

    def narrow(self, subscription: Subscription, keys: Iterable[str]) -> None:
        """Take markets away; a subscription to every market stays what it is."""
        if subscription.keys is None:
            return
        for key in keys:
            subscription.keys.discard(key)
            self._drop(subscription, key)

    def dismiss(self, subscription: Subscription) -> None:
        self._everything.get(subscription.channel, {}).pop(subscription, None)
        for key in subscription.keys or ():
            self._drop(subscription, key)

    def listening(self, channel: str, key: str | None) -> Collection[Subscription]:
        """Those who get a message of this channel about this market, or about nothing in particular.

        A copy: sending to one may end its subscription.
        """
        everything = self._everything.get(channel)
        named = None if key is None else self._by_key.get((channel, key))
        if not everything:
            return (*named,) if named else ()
        return (*everything, *named) if named else (*everything,)

    def on_channel(self, channel: str) -> list[Subscription]:
        """Every subscription of a channel, whatever it names."""
        found = dict(self._everything.get(channel, {}))
        for (one, _), subscriptions in self._by_key.items():
            if one == channel:
                found |= subscriptions
        return list(found)

    def _drop(self, subscription: Subscription, key: str) -> None:
        place = (subscription.channel, key)
        listeners = self._by_key.get(place)
        if listeners is not None:
            listeners.pop(subscription, None)
            if not listeners:
                del self._by_key[place]
