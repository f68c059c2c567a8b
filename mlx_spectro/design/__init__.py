"""Numbers from parameters: windows, filterbanks, bases, geometry. NumPy in float64, nobody's arrays."""
