"""Which input pixels a value depends on: exact intervals, carried through every operation by the column `reach`."""
