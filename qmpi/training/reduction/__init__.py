"""Gradients of lanes become one: integers whose sum knows no order, or floats."""
