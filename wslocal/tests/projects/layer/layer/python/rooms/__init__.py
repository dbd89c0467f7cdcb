"""Rooms: who is in one, and what each of them is to get."""

from .members import Rooms

__all__ = ["Rooms"]
