"""Spot price sources, one file each: wire bytes in, PriceTick out."""
