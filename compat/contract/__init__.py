"""What every adapter and report may know: settings, records, reasons and tolerances."""
